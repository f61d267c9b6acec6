#!/bin/sh
# counters.sh - meter counters gives what there is, and says why not the rest.
#
# On a machine without hardware counters the run is good, has the kernel's
# counts, and its note names the errno; on one with them it has instructions.
# `heapyard counters` says beforehand which of the two it is.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

expect 0 "$HEAPYARD" counters
expect_line "$work/out" '^Hardware events, in user mode:$'
expect_line "$work/out" '^  (page-faults|task-clock) +usable; [0-9]+ in a test loop'
cp "$work/out" "$work/offer"
samples=$work/samples.csv

# measure METER...: each once on churn, on one thread and on two.
measure()
{
    expect 0 "$HEAPYARD" plan --workload churn:objects=1000:ops=200000 \
        --threads 1,2 --allocators arena --runs 1 --meters "$1" \
        --out "$work/plan.tsv"
    rm -f "$samples"
    expect 0 "$HEAPYARD" run "$work/plan.tsv" --out "$work"
}

if grep -q 'built without libpfm4' "$work/offer"; then
    measure counters
    [ "$(csv_count "$samples" status=skip)" -eq 2 ] || fail "no two skips"
    csv_pick "$samples" note status=skip >"$work/notes"
    expect_line "$work/notes" '^built without libpfm4 \(libpfm4-dev\)$'
    exit 0
fi

expect_line "$work/offer" '^  perf +perf_events generic PMU$'
for event in cycles instructions branches L1-dcache-load-misses LLC-loads \
    dTLB-load-misses iTLB-load-misses stalled-cycles-frontend; do
    expect_line "$work/offer" "^  $event +(usable|refused|opens)"
done
expect 0 "$HEAPYARD" counters --kernel --events no-such-event+r3
expect_line "$work/out" '^Hardware events, in user mode and the kernel:$'
expect_line "$work/out" '^  no-such-event +refused \(unknown\)$'
expect_line "$work/out" '^  r3 +(usable|refused|opens)'
expect 2 "$HEAPYARD" counters --events cycles+
expect_line "$work/err" '^heapyard counters: --events = "" \(want '
expect 2 "$HEAPYARD" counters churn
expect_line "$work/err" '^heapyard counters: "churn" \(want options only\)$'

# ---- the meter ----

wanted='counters:events=cycles+instructions+no-such-event:kernel=0'
measure "counters,$wanted"
expect_every_run_once "$work"
[ "$(csv_runs "$samples" status=ok)" -eq 4 ] || fail "not 4 good runs"
for meter in counters "$wanted"; do
    for metric in minor_faults major_faults context_switches task_clock; do
        [ "$(csv_count "$samples" "meter=$meter" threads=2 at= \
            metric=$metric)" -eq 1 ] || fail "$meter: no $metric"
        # the whole is the sum of its threads
        all=$(csv_pick "$samples" value "meter=$meter" threads=2 at= \
            metric=$metric)
        one=$(csv_pick "$samples" value "meter=$meter" threads=2 at=thread:0 \
            metric=$metric)
        two=$(csv_pick "$samples" value "meter=$meter" threads=2 at=thread:1 \
            metric=$metric)
        [ "$all" -eq $((one + two)) ] || fail "$metric: $all = $one + $two?"
        [ "$(csv_count "$samples" "meter=$meter" threads=1 \
            metric=$metric)" -eq 1 ] || fail "one thread: more than one $metric"
    done
    time=$(csv_pick "$samples" value "meter=$meter" threads=1 metric=task_clock)
    [ "$time" -gt 0 ] || fail "$meter: task_clock = $time"
    n=$(csv_count "$samples" "meter=$meter" threads=1 metric=instructions)
    csv_pick "$samples" note "meter=$meter" threads=1 metric=task_clock \
        >"$work/notes"
    if grep -q '^  instructions *usable' "$work/offer"; then
        [ "$n" -eq 1 ] || fail "$meter: usable, but no instructions"
    else
        [ "$n" -eq 0 ] || fail "$meter: refused, but there are instructions"
        expect_line "$work/notes" '^(no hardware counts: )?E[A-Z]+: .+'
    fi
    csv_pick "$samples" value "meter=$meter" metric=cycles >"$work/picked"
    if grep -qx 0 "$work/picked"; then
        fail "a missing count is a 0"
    fi
done
csv_pick "$samples" note "meter=$wanted" threads=1 metric=task_clock \
    >"$work/notes"
expect_line "$work/notes" 'unknown: libpfm has no such event.*: no-such-event$'

# ---- files run out ----

# Each thread opens at least one; the others of the process fit.
code=0
(
    ulimit -n 20
    "$HEAPYARD" replay --workload server-sim:heap=1m --scale 0.001 \
        --threads 32 --allocator arena --meter counters
) >"$work/out" 2>"$work/err" || code=$?
[ $code -eq 0 ] || fail "with 20 files: exit code $code: $(cat "$work/err")"
expect_line "$work/out" '^!ok'
expect_line "$work/out" "^minor_faults${tab}thread:31${tab}1${tab}[0-9]"
if "$HEAPYARD" replay --workload churn --scale 0.001 --meter counters |
    grep -q "^cpu_migrations${tab}"; then
    expect_line "$work/out" '^#.*(EMFILE|E[A-Z]+: )'
    expect_line "$work/out" "^cpu_migrations${tab}thread:[0-9]+${tab}1${tab}"
    if grep -q "^cpu_migrations${tab}${tab}" "$work/out"; then
        fail "a sum without the threads that had no file"
    fi
fi
expect_nothing_left "counters"
