#!/bin/sh
# native.sh - a workload that is a program runs like any other.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

folder=$work/bench
expect 0 "$HEAPYARD" bench --workload binary-trees:depth=10 \
    --allocators system,slab,null --threads 1,2 --runs 2 --out "$folder" \
    --meters time,memory,leak,check,counters
expect_every_run_once "$folder"
rows=$folder/samples.csv

# Each arm has its runs in each meter.
for allocator in system slab; do
    for threads in 1 2; do
        for meter in time memory leak check counters; do
            [ "$(csv_runs "$rows" allocator=$allocator threads=$threads \
                meter=$meter status=ok)" -ge 1 ] ||
                fail "no run of $meter on $allocator with $threads threads"
        done
    done
done
[ "$(csv_runs "$rows" allocator=null status=skip)" -eq \
    "$(csv_runs "$rows" allocator=null)" ] || fail "null ran it"

# Depth 10: a tree of depth 11, one of 10 that stays, and for d = 4, 6, 8, 10
# 2^(14 - d) trees of 2^(d + 1) - 1 nodes.  Threads share them.
want=$((4095 + 2047 + 1024 * 31 + 256 * 127 + 64 * 511 + 16 * 2047))
csv_pick "$rows" value metric=ops | sort -u >"$work/ops"
[ "$(cat "$work/ops")" = "$want" ] || fail "ops: $(cat "$work/ops") (want $want)"
csv_pick "$rows" value metric=checked_ops | sort -u >"$work/ops"
[ "$(cat "$work/ops")" = "$want" ] || fail "checked: $(cat "$work/ops")"
csv_pick "$rows" value metric=leaked_bytes | sort -u >"$work/leaked"
[ "$(cat "$work/leaked")" = 0 ] || fail "leaked: $(cat "$work/leaked")"

# Nobody knows its live bytes.
for metric in live live_peak live_mean frag frag_peak frag_mean fidelity; do
    [ "$(csv_count "$rows" metric=$metric)" -eq 0 ] || fail "a row of $metric"
done

# A run is named by all it depends on.
hash_of()
{
    expect 0 "$HEAPYARD" replay --workload "$@"
    awk '$1 == "trace_hash" { print $NF }' "$work/out"
}
for run in "binary-trees:depth=8" "binary-trees:depth=9" \
    "binary-trees:depth=8 --threads 2" "binary-trees:depth=8 --seed 2" \
    "binary-trees:depth=8 --scale 0.5"; do
    # shellcheck disable=SC2086 # words of a command
    hash_of $run
done >"$work/hashes"
[ "$(sort -u "$work/hashes" | wc -l)" -eq 5 ] || fail "$(cat "$work/hashes")"
[ "$(hash_of binary-trees:depth=8)" = "$(head -n 1 "$work/hashes")" ] ||
    fail "the same run has another hash"

# A heap is told of the threads that a workload starts by itself.
expect 1 "$HEAPYARD" replay --workload mleak:workers=256 --threads 20 \
    --scale 0.001 --allocator pool
expect_line "$work/out" 'pool cannot open a heap' # it has 4096 seats

# What it cannot do is said.
expect 2 "$HEAPYARD" heap --workload binary-trees --allocator slab
expect_line "$work/err" 'binary-trees is a program: it has no mark'
expect 2 "$HEAPYARD" replay --workload binary-trees:depth=99
expect_line "$work/err" 'depth'
expect 0 "$HEAPYARD" list workloads
expect_line "$work/out" 'threads 1\.\.256; a program; .* allocations, .* in memory, CPU'
# Two threads, and so much to mark that markers share it: nobody keeps what is
# dead (what they exchanged once stayed in vector registers).  A sanitizer does.
if ! is_sanitized; then
    for run in 1 2 3; do
        expect 0 "$HEAPYARD" replay --workload finalizers --threads 2 \
            --scale 0.01 --allocator gc:markers=2 --meter check
        expect_line "$work/out" '^!ok'
    done
    # Nor does what the collector's own frames left on a thread's stack.
    for seed in 1 2 3 4 5 6 7 8 9 10; do
        expect 0 "$HEAPYARD" replay --workload ephemerons:links=5000 \
            --threads 2 --scale 0.2 --allocator gc --meter check --seed $seed
        expect_line "$work/out" '^!ok'
    done
fi
