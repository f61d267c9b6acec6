#!/bin/sh
# calibrate.sh - trials of the gate become a table and two files, and Ctrl-C
# keeps those that are done.
#
# What is put in is what it says: the allocator "waste" runs four instructions
# a turn, by count.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

workload=churn:objects=2000:ops=20000

# simulated 0 or 1: whether counts can be had here
simulated=0
if command -v valgrind >/dev/null && ! is_sanitized; then
    simulated=1
fi

expect 2 "$HEAPYARD" calibrate --trials 0
expect_line "$work/err" '--trials = 0 \(want 1..10000\)'
expect 2 "$HEAPYARD" calibrate --allocator null
expect_line "$work/err" '--allocator = null \(want system, slab, buddy or pool\)'
expect 2 "$HEAPYARD" calibrate --slowdown 0
expect_line "$work/err" '--slowdown = 0 \(want 0.1%..50%\)'
expect 2 "$HEAPYARD" calibrate --workload churn,trees
expect_line "$work/err" '--workload = churn,trees \(want one workload\)'

# ---- a few trials, in a folder whose name is no good for a shell ----

out="$work/it's \"here\""
mkdir "$out"
expect 0 "$HEAPYARD" calibrate --workload $workload --trials 2 \
    --slow-trials 2 --others 1 --exact-trials $simulated --budget 1 \
    --slowdown 2% --out "$out"
csv_tsv "$out/calibration.csv" >"$work/tsv"
others=0
if command -v hyperfine >/dev/null; then
    others=1
else
    expect_line "$work/err" '^no hyperfine here: only the gate is tried$'
fi
rows=$(($(wc -l <"$work/tsv") - 1))
[ $rows -eq $((2 + 2 * simulated + 4 * others)) ] ||
    fail "$rows rows: $(cat "$work/tsv")"

# expect_judged COUNT JUDGE METRIC INJECTED
expect_judged()
{
    trials=$(csv_pick "$out/calibration.csv" trials "judge=$2" "metric=$3" \
        "injected=$4")
    [ "${trials:-0}" -eq "$1" ] ||
        fail "$2 on $3, injected $4: $trials trials (want $1)"
}

for injected in 0 0.02; do
    expect_judged 2 gate mid_per_op $injected
    expect_judged $others hyperfine-5% "wall of process" $injected
    expect_judged $others mann-whitney "wall of process" $injected
done
expect_judged $simulated gate sim_instructions 0
expect_judged $simulated gate sim_instructions 0.001
if [ $simulated -eq 1 ]; then # counts repeat: these are never wrong
    [ "$(csv_pick "$out/calibration.csv" called metric=sim_instructions |
        tr '\n' ' ')" = "0 1 " ] || fail "simulated: $(cat "$work/tsv")"
fi
csv_tsv "$out/trials.csv" >"$work/trials"
[ "$(wc -l <"$work/trials")" -eq $((1 + 4 + 2 * simulated + 4 * others)) ] ||
    fail "trials.csv: $(cat "$work/trials")"
if grep -E 'nan|inf' "$work/trials"; then
    fail "trials.csv has a figure that is none"
fi
expect_line "$work/out" '^gate +mid_per_op +0% .* [0-2]/2 '
expect_line "$work/out" '^gate +mid_per_op +2% '
[ ! -e "$out/traces" ] || fail "traces were left behind"
[ ! -e "$out/hyperfine.json" ] || fail "hyperfine's file was left behind"

# A calibration is not written over.
cp "$out/calibration.csv" "$work/before"
expect 2 "$HEAPYARD" calibrate --workload $workload --trials 1 --out "$out"
expect_line "$work/err" 'calibration.csv is there \(want a new --out\)'
cmp -s "$work/before" "$out/calibration.csv" || fail "it was changed"

# ---- Ctrl-C ----

"$HEAPYARD" calibrate --workload $workload --trials 50 --slow-trials 50 \
    --others 0 --exact-trials 0 --budget 1 --slowdown 2% \
    --out "$work/stopped" >"$work/out" 2>"$work/err" </dev/null &
pid=$!
turns=400 # until some are done
until grep -qE '^\[([3-9]|[1-9][0-9])/100\]' "$work/err"; do
    turns=$((turns - 1))
    [ $turns -gt 0 ] || fail "waited in vain: $(cat "$work/err")"
    sleep 0.1
done
kill -INT $pid
code=0
wait $pid || code=$?
[ $code -eq 130 ] || fail "exit code $code after Ctrl-C: $(cat "$work/err")"
csv_tsv "$work/stopped/trials.csv" >"$work/trials"
done_trials=$(($(wc -l <"$work/trials") - 1))
if [ $done_trials -lt 3 ] || [ $done_trials -gt 90 ]; then
    fail "$done_trials trials were kept"
fi
summed=0
for n in $(csv_pick "$work/stopped/calibration.csv" trials); do
    summed=$((summed + n))
done
[ $summed -eq $done_trials ] || fail "$summed of $done_trials trials are summed up"
expect_nothing_left "after Ctrl-C"

# ---- what is put in ----

[ $simulated -eq 1 ] || exit 0
list=
for loops in 0 100 200; do
    list=$list,waste:of=slab:loops=$loops:every=3
done
mkdir "$work/waste"
expect 0 "$HEAPYARD" plan --workload churn:objects=1000:ops=3000 --runs 1 \
    --meters simulated:cache=off --allocators "${list#,}" \
    --out "$work/waste/plan.tsv"
expect 0 "$HEAPYARD" run "$work/waste/plan.tsv" --out "$work/waste"

# instructions LOOPS
instructions()
{
    csv_pick "$work/waste/samples.csv" value metric=sim_instructions \
        "allocator=waste:of=slab:loops=$1:every=3"
}

first=$(($(instructions 100) - $(instructions 0)))
second=$(($(instructions 200) - $(instructions 100)))
wastes=$((second / 400))
# the workload allocates 1000 objects, and one for each it frees: 3000 at most
if [ $((second % 400)) -ne 0 ] || [ $wastes -lt 333 ] || [ $wastes -gt 1334 ]; then
    fail "100 turns more are $second instructions, of $wastes wastes"
fi
# the first turn of all costs what it takes to begin: a few instructions
excess=$((first - second))
if [ $excess -lt $((-8 * wastes)) ] || [ $excess -gt $((8 * wastes)) ]; then
    fail "the first 100 turns are $first instructions, the next $second"
fi
