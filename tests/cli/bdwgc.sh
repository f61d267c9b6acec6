#!/bin/sh
# bdwgc.sh - replays and native workloads on a collector.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

"$HEAPYARD" list allocators >"$work/allocators"
if grep -q '^  bdwgc .*; built without' "$work/allocators"; then
    expect 1 "$HEAPYARD" replay --workload churn --scale 0.01 --allocator bdwgc
    expect_line "$work/out" '^!skip	bdwgc: built without libgc'
    skip "built without libgc"
fi

# A free is a forgetting: many times the heap goes through it, and the
# collector finds what was freed, whether it is told or not.
folder=$work/bench
expect 0 "$HEAPYARD" bench --workload churn:objects=5000:ops=300000 \
    --allocators bdwgc,bdwgc:free=explicit,arena,system --threads 1,2 --runs 1 \
    --meters memory,check --out "$folder"
expect_every_run_once "$folder"
rows=$folder/samples.csv
[ "$(csv_count "$rows" status=ok)" -eq "$(csv_count "$rows")" ] ||
    fail "$(csv_pick "$rows" note)"
for allocator in bdwgc bdwgc:free=explicit; do
    for threads in 1 2; do
        csv_pick "$rows" value metric=frag_peak allocator=$allocator \
            threads=$threads >"$work/frag"
        awk '{ exit !($1 > 0.5 && $1 < 6) }' "$work/frag" ||
            fail "$allocator, $threads threads: $(cat "$work/frag") times live"
    done
done
# arena never frees: if it passed too, this would show nothing.
csv_pick "$rows" value metric=frag_peak allocator=arena threads=1 >"$work/frag"
awk '{ exit !($1 > 6) }' "$work/frag" || fail "arena: $(cat "$work/frag")"

# A heap with a limit says NULL, and goes on after that.
expect 1 "$HEAPYARD" replay --workload binary-trees:depth=14 \
    --allocator bdwgc:limit=1m
expect_line "$work/out" '^!nomem	thread 0: NULL, after [0-9]* allocations'
expect 1 "$HEAPYARD" replay --workload churn:objects=20000 --scale 0.1 \
    --allocator bdwgc:limit=1m
expect_line "$work/out" '^!nomem	thread 0, record'

# Its knobs make it another one, and the workload's own result stays right.
for knobs in markers=1 markers=2 incremental=on divisor=10; do
    expect 0 "$HEAPYARD" replay --workload binary-trees:depth=12 --meter check \
        --threads 2 --allocator "bdwgc:$knobs"
    expect_line "$work/out" '^!ok'
done
