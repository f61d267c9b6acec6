#!/bin/sh
# redis-session.sh - a redis server under load that saves while it is written.
#
# usage: redis-session.sh FOLDER        (for its socket, log and dump)
#
# Prints what must not depend on the malloc below: how many keys a fixed list
# of commands leaves, and their digest; the same after the server was saved by
# a process that it forked in the midst of redis-benchmark's writes, from
# threads that read and write, and loaded again.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$1"
rm -f dump.rdb # of another session

redis-server --port 0 --unixsocket socket --save '' --io-threads 2 \
    --enable-debug-command local --activerehashing no >redis.log 2>&1 &
server=$!
trap 'kill -9 $server 2>/dev/null' EXIT
trap 'exit 130' INT TERM

cli() { redis-cli -s socket "$@"; }

die() {
    echo "redis-session: $*: $(tail -n 3 redis.log)" >&2
    exit 1
}

# within_10_s COMMAND...: until it holds.
within_10_s() {
    for _ in $(seq 100); do
        ! "$@" || return 0
        kill -0 "$server" 2>/dev/null || die "the server is gone"
        sleep 0.1
    done
    die "not within 10 s: $*"
}

is_up() { cli ping 2>/dev/null | grep -q PONG; }
is_saved() { cli info persistence | grep -q 'rdb_bgsave_in_progress:0'; }

save() {
    cli bgsave | grep -q started || die "bgsave did not start"
    within_10_s is_saved
    cli info persistence | grep -q 'rdb_last_bgsave_status:ok' ||
        die "bgsave failed"
}

within_10_s is_up
redis-benchmark -s socket --dbnum 1 -n 5000 -c 20 -r 3000 -d 200 -P 8 \
    -t set,lpush,sadd,hset,zadd -q >benchmark.log 2>&1 &
benchmark=$!
awk 'BEGIN {
    for (i = 0; i < 10000; i++) {
        k = i * 7919 % 4001
        print "SET s" k " " sprintf("%0" (i % 300 + 1) "d", i)
        print "LPUSH l" k % 97 " item" i
        print "HSET h" k % 211 " f" i " " i
        print "ZADD z" k % 53 " " i " m" k
        if (i % 3 == 0)
            print "DEL s" (k * 31) % 4001
        if (i % 500 == 0)
            print "RPOPLPUSH l" k % 97 " l" (k + 1) % 97
    }
}' | redis-cli -s socket --pipe >/dev/null &
writer=$!
save
wait "$writer" || die "redis-cli failed"
save
wait "$benchmark" || die "redis-benchmark failed: $(cat benchmark.log)"
cli -n 1 flushdb async
save
cli dbsize
cli debug digest
cli debug reload nosave
cli dbsize
cli debug digest
cli shutdown nosave
wait "$server" || die "the server's exit code is $?"
trap - EXIT
