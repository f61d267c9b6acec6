#!/bin/sh
# no-malloc.sh - the harness does not allocate from what it measures.
#
# A malloc that counts its calls is preloaded under the program.  While a
# trace is played on a backend that is not malloc, nobody may call it; on
# malloc itself it is called once for every allocation and resize of the
# trace, no more.  For every meter, with one thread and with two.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_faulty

count=$HEAPYARD_FAULTY/libfaulty-count.so
# 1000 blocks to fill the table, then 10000 replacements.
churn=churn:objects=1000:ops=20000
churn_allocations=11000
server="server-sim:heap=1m"

# What the leak meter may add: its question to the C library how much it has
# handed out looks up symbols, and one that is missing costs a few calls.
inspection_max=32

expect 0 "$HEAPYARD" record -o "$work/list.hyt" -- "$HEAPYARD" list
figures=$("$HEAPYARD" trace info --csv "$work/list.hyt")
recorded_allocations=$(echo "$figures" | awk -F , '
    $1 == "operations" && ($2 == "alloc" || $2 == "zalloc" ||
                           $2 == "resize") { n += $4 }
    END { print n + 0 }')
[ "$recorded_allocations" -ge 5 ] || fail "recorded too little: $figures"

expect 0 "$HEAPYARD" plan --workload "$churn,$server,$work/list.hyt" \
    --scale 1 --threads 1,2 --runs 1 --memory-runs 1 \
    --allocators null,arena,system --allocator "$count" \
    --meters time,memory,leak,latency,check,counters --out "$work/plan.tsv"
# The server for a hundredth of its length: the others have one of their own.
awk -F '\t' 'BEGIN { OFS = FS } $3 ~ /^server-sim/ { $5 = 0.01 } { print }' \
    "$work/plan.tsv" >"$work/short.tsv"
expect 0 env LD_PRELOAD="$count" "$HEAPYARD" run "$work/short.tsv" \
    --out "$work"
samples=$work/samples.csv
skipped=$(csv_pick "$samples" note status=skip | sort -u)
[ "$skipped" = "null: it hands out overlapping memory by design" ] ||
    fail "skipped: $skipped"

# calls ALLOCATOR METER WORKLOAD THREADS: the count, of exactly one run.
calls()
{
    n=$(csv_pick "$samples" value metric=malloc_calls "allocator=$1" \
        "meter=$2" "workload=$3" "threads=$4")
    [ "$(echo "$n" | grep -c .)" -eq 1 ] ||
        fail "$2 of $1 on $3, $4 threads: malloc_calls \"$n\" (want one)"
    echo "$n"
}

# expect_calls WANT ALLOCATOR METER WORKLOAD THREADS
expect_calls()
{
    want=$1
    shift
    n=$(calls "$@")
    more=0
    case $1.$2 in
    system.leak | /*.leak) more=$inspection_max ;;
    esac
    if [ "$n" -lt "$want" ] || [ "$n" -gt $((want + more)) ]; then
        fail "$2 of $1 on $3, $4 threads: $n calls of malloc (want $want)"
    fi
}

for meter in time memory leak latency check counters; do
    for threads in 1 2; do
        for allocator in null arena; do
            if [ $allocator.$meter = null.check ]; then
                continue # skipped, see above
            fi
            expect_calls 0 $allocator $meter "$churn" $threads
            expect_calls 0 $allocator $meter "$server" $threads
        done
        # The same trace, the same calls, whoever looks at it.
        server_allocations=$(calls system time "$server" $threads)
        [ "$server_allocations" -gt 10000 ] ||
            fail "$server: only $server_allocations calls of malloc"
        for allocator in system "$count"; do
            expect_calls "$churn_allocations" "$allocator" $meter "$churn" \
                $threads
            expect_calls "$server_allocations" "$allocator" $meter \
                "$server" $threads
        done
    done
    for allocator in system "$count"; do
        expect_calls "$recorded_allocations" "$allocator" $meter \
            "$work/list.hyt" 1
    done
done
