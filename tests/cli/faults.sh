#!/bin/sh
# faults.sh - an allocator that breaks in one way is one row that says how.
#
# Each library of tests/faulty is run beside sound allocators: its row has the
# right status and a note that helps, no other run is disturbed, the exit code
# is 1, the time is bounded, and nothing is left running.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_faulty

workload=server-sim:heap=1m
at='near operation [0-9]+ of [0-9]+'
crash="^killed by signal 11 \(Segmentation fault\)"

# fault, meter, status, note.  What the check meter finds by looking, the time
# meter does not see: such blocks can be used and freed.
cat >"$work/want" <<END
count|check|ok|
count|time|ok|
crash|check|crash|$crash $at\$
crash|time|crash|$crash $at\$
null|check|nomem|^thread 0, record [0-9]+: NULL for [0-9]+ bytes\$
null|time|nomem|^thread 0, record [0-9]+: NULL for [0-9]+ bytes\$
misalign|check|corrupt|misaligned: 0x[0-9a-f]+8 for .* \(want a multiple of 16\)\$
misalign|time|ok|
twice|check|corrupt|overlap: 0x.* is a live block already\$
overlap|check|corrupt|byte [0-9]+ of the [0-9]+-byte block at 0x.* was overwritten\$
calloc|check|corrupt|byte [0-9]+ of a zeroed [0-9]+-byte block is not 0\$
calloc|time|ok|
realloc|check|corrupt|after resize: byte 0 of the
realloc|time|ok|
usable|check|corrupt|usable size [0-9]+ of a [0-9]+-byte block\$
usable|time|ok|
scribble|check|corrupt|byte [0-9]+ of the [0-9]+-byte block at 0x.* was overwritten\$
abort|check|crash|^killed by signal 6 \(Aborted\) $at: faulty: the free list is broken, "giving up"\$
abort|time|crash|^killed by signal 6 \(Aborted\) $at: faulty: the free list is broken, "giving up"\$
exit-0|check|crash|^exit code 0 without a result $at\$
exit-0|time|crash|^exit code 0 without a result $at\$
exit-3|check|crash|^exit code 3 without a result $at\$
exit-3|time|crash|^exit code 3 without a result $at\$
no-free|check|skip|libfaulty-no-free.so: does not define malloc and free\$
no-malloc|time|skip|libfaulty-no-malloc.so: does not define malloc and free\$
constructor|check|crash|$crash before the replay\$
constructor|time|crash|$crash before the replay\$
crash-leaving|check|crash|$crash after the replay\$
crash-leaving|time|crash|$crash after the replay\$
noisy|check|ok|
noisy|time|ok|
offspring|check|crash|$crash $at\$
offspring|time|crash|$crash $at\$
closes|check|crash|^exit code 4 without a result
closes|time|crash|^exit code 4 without a result
hang|slow|timeout|^no result within 1 s; $at\$
hang-loading|slow|timeout|^no result within 1 s; before the replay\$
hang-leaving|slow|timeout|^no result within 1 s; after the replay\$
END

# make_plan FOLDER METERS TIMEOUT FAULT...: the faults beside null and system.
make_plan()
{
    folder=$1 meters=$2 timeout=$3
    shift 3
    mkdir "$work/$folder"
    for fault in "$@"; do
        set -- "$@" --allocator "$HEAPYARD_FAULTY/libfaulty-$fault.so"
        shift
    done
    expect 0 "$HEAPYARD" plan --workload "$workload" --scale 0.01 --runs 1 \
        --memory-runs 1 --allocators null,system "$@" --meters "$meters" \
        --timeout "$timeout" --out "$work/$folder/plan.tsv"
}

# check_row FOLDER FAULT METER STATUS NOTE
check_row()
{
    samples=$work/$1/samples.csv
    library=$HEAPYARD_FAULTY/libfaulty-$2.so
    status=$(csv_pick "$samples" status "allocator=$library" "meter=$3" |
        sort -u)
    note=$(csv_pick "$samples" note "allocator=$library" "meter=$3")
    [ "$status" = "$4" ] ||
        fail "$2, meter $3: status $status (want $4), note: $note"
    if [ "$4" = ok ]; then
        return 0
    fi
    [ "$(echo "$note" | wc -l)" -eq 1 ] || fail "$2: more than one row: $note"
    echo "$note" | grep -qE -- "$5" || fail "$2, meter $3: note: $note"
    value=$(csv_pick "$samples" value "allocator=$library" "meter=$3")
    [ -z "$value" ] || fail "$2: a $4 row with a value: $value"
}

# check_sound FOLDER: the runs of null and system are what they always are.
check_sound()
{
    for meter in $(cut -f 8 "$work/$1/plan.tsv" | sed 1d | sort -u); do
        [ "$(csv_runs "$work/$1/samples.csv" allocator=system \
            "meter=$meter" status=ok)" -eq 1 ] ||
            fail "$1: no $meter of system beside the faults"
    done
    expect_every_run_once "$work/$1"
}

# shellcheck disable=SC2046 # names without spaces
make_plan quick check,time 20 \
    $(grep -v '|slow|' "$work/want" | cut -d '|' -f 1 | uniq)
expect 1 "$HEAPYARD" run "$work/quick/plan.tsv" --out "$work/quick"
expect_nothing_left "after the quick faults"
expect_line "$work/err" '^heapyard run: [0-9]+ of [0-9]+ runs failed; the first: '

# Three that hang, a second each, and nothing waits longer.
make_plan slow check 1 hang hang-loading hang-leaving
begin=$(date +%s)
expect 1 "$HEAPYARD" run "$work/slow/plan.tsv" --out "$work/slow"
took=$(($(date +%s) - begin))
[ "$took" -le 8 ] || fail "three timeouts of 1 s took $took s"
expect_nothing_left "after the slow faults"

while IFS='|' read -r fault meter status note; do
    case $meter in
    slow) check_row slow "$fault" check "$status" "$note" ;;
    *) check_row quick "$fault" "$meter" "$status" "$note" ;;
    esac
done <"$work/want"
check_sound quick
check_sound slow

# Nothing that a child prints may become a record, nor reach the terminal.
if LC_ALL=C tr -d '\n' <"$work/quick/samples.csv" |
    LC_ALL=C grep -q '[[:cntrl:]]'; then
    fail "control bytes in samples.csv"
fi
if csv_pick "$work/quick/samples.csv" note | grep noise; then
    fail "what a child printed stands in the note of a good run"
fi

# Every meter outlives its child's death.
make_plan meters time,memory,leak,latency,check 20 crash exit-0
expect 1 "$HEAPYARD" run "$work/meters/plan.tsv" --out "$work/meters"
for meter in time memory leak latency check; do
    check_row meters crash "$meter" crash "$crash"
    check_row meters exit-0 "$meter" crash "^exit code 0 without a result"
done
check_sound meters
expect_nothing_left "after every meter"

# The same by `heapyard bench`: the table names the failure, the rest stands.
expect 1 "$HEAPYARD" bench --workload "$workload" --scale 0.01 --runs 2 \
    --meters time --allocators system \
    --allocator "$HEAPYARD_FAULTY/libfaulty-crash.so" --out "$work/bench"
expect_line "$work/err" '2 of 4 runs failed; the first: .*crash: killed by'
expect_line "$work/out" 'system'
expect_line "$work/out" 'crash'
expect_every_run_once "$work/bench"
expect_nothing_left "after bench"

# A recorded trace that is damaged inside is an error row; the rest stands.
expect 0 "$HEAPYARD" record -o "$work/list.hyt" -- "$HEAPYARD" list
size=$(wc -c <"$work/list.hyt")
offset=0
while :; do # the first byte from the middle on that is no longer a good file
    offset=$((offset + 1))
    [ $offset -lt 400 ] || fail "no byte of the archive matters"
    cp "$work/list.hyt" "$work/bad.hyt"
    printf '\377\377' | dd of="$work/bad.hyt" bs=1 conv=notrunc \
        seek=$((size / 2 + offset)) 2>/dev/null
    if ! "$HEAPYARD" trace check "$work/bad.hyt" 2>/dev/null >&2 &&
        "$HEAPYARD" plan --workload "$work/bad.hyt" >/dev/null 2>&1; then
        break
    fi
done
mkdir "$work/damaged"
expect 0 "$HEAPYARD" plan --workload "$work/bad.hyt,churn:objects=10:ops=100" \
    --runs 1 --meters time --allocators system --out "$work/damaged/plan.tsv"
expect 1 "$HEAPYARD" run "$work/damaged/plan.tsv" --out "$work/damaged"
note=$(csv_pick "$work/damaged/samples.csv" note status=error)
echo "$note" | grep -q 'bad.hyt' || fail "a damaged archive: note: $note"
[ "$(csv_runs "$work/damaged/samples.csv" status=ok)" -eq 1 ] ||
    fail "a damaged archive has cost another run"
expect_every_run_once "$work/damaged"

# A process that crashes while it prepares a trace costs the runs of that trace
# only.  This library crashes the first process that the runner forks.
cat >"$work/first.c" <<'EOF'
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
pid_t fork(void)
{
    static int forks;
    pid_t pid = (pid_t)syscall(SYS_fork);
    if (forks++ == 0 && pid == 0)
        raise(SIGSEGV);
    return pid;
}
EOF
"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o "$work/first.so" "$work/first.c" ||
    fail "first.c does not compile"
mkdir "$work/prepare"
expect 0 "$HEAPYARD" plan --workload churn:objects=10:ops=100,churn:objects=20:ops=100 \
    --runs 2 --meters time --allocators null,arena --out "$work/prepare/plan.tsv"
expect 1 env LD_PRELOAD="$work/first.so" "$HEAPYARD" run \
    "$work/prepare/plan.tsv" --out "$work/prepare"
first=$(sed -n 2p "$work/prepare/plan.tsv" | cut -f 3)
note=$(csv_pick "$work/prepare/samples.csv" note status=error \
    "workload=$first" | sort | uniq -c | sed 's/^ *//')
[ "$note" = "4 preparing the trace: Segmentation fault" ] ||
    fail "a crash while a trace is prepared: notes: $note"
[ "$(csv_runs "$work/prepare/samples.csv" status=ok)" -eq 4 ] ||
    fail "a crash while a trace is prepared has cost other runs"
expect_line "$work/err" '4 of 8 runs failed; the first: .*preparing the trace'
expect_every_run_once "$work/prepare"
expect_nothing_left "after a crash while preparing"
