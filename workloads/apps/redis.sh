#!/bin/sh
# redis.sh - one run of redis.app, in the folder that it is started in.
#
# Only the server has the library that is measured preloaded.  Prints what a
# server that works says; writes the requests per second of the fill into the
# file `score`.
#
# SPDX-License-Identifier: Apache-2.0
set -eu

socket=socket
rm -f $socket score
LD_PRELOAD=${HEAPYARD_PRELOAD-} redis-server --port 0 --unixsocket $socket \
    --save '' --appendonly no --dir . --loglevel warning --jemalloc-bg-thread no \
    >server.log 2>&1 &
server=$!
trap 'kill -9 $server 2>/dev/null || :' EXIT

ask() { redis-cli -s $socket "$@"; }
n=0
while ! ask ping >answer 2>/dev/null || [ "$(cat answer)" != PONG ]; do
    n=$((n + 1))
    if [ $n -gt 500 ] || ! kill -0 $server 2>/dev/null; then
        cat server.log >&2
        exit 1
    fi
    sleep 0.01
done

# load REQUESTS SIZE COMMAND...: as redis-benchmark says it, "name","rps",...
load()
{
    requests=$1 size=$2
    shift 2
    redis-benchmark -s $socket -q --csv -n "$requests" -P 16 -c 20 \
        -r 1000000 -d "$size" "$@" >>rates
}
rm -f rates
load 200000 24 -t set
load 30000 3000 -t set
load 150000 100 -t lpush
load 120000 24 -t sadd
load 100000 200 -t hset
# A harmonic mean of the rates, weighed by requests: requests over time.
awk -F '"' 'BEGIN { split("200000 30000 150000 120000 100000", n, " ") }
    $4 + 0 > 0 { i++; requests += n[i]; time += n[i] / $4 }
    END { if (i != 5) exit 1; printf "%.1f\n", requests / time }' rates >score
rm -f rates

# Three quarters of the keys go, then all of them: see rss_end.
ask eval "local n = 0 for _, key in ipairs(redis.call('keys', '*')) do
    n = n + 1 if n % 4 ~= 0 then redis.call('del', key) end end
    return 'pruned'" 0
ask flushall
[ "${HEAPYARD_METER-}" != memory ] || sleep 0.5
ask dbsize
ask shutdown nosave 2>/dev/null || :
wait $server
echo stopped
