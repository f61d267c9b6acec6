#!/bin/sh
# interrupt.sh - a stopped bench keeps what is done, and goes on from there.
#
# SIGINT, SIGTERM and SIGHUP end it with exit code 130 and the command that
# goes on; SIGKILL takes the measured child along.  After --resume every run
# of the plan stands in samples.csv exactly once.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

workload=churn:objects=1000:ops=200000
runs=30

# start_bench FOLDER [OPTION...]: thirty short runs in the background, as $bench.
start_bench()
{
    folder=$work/$1
    shift
    "$HEAPYARD" bench --workload $workload --allocators null,system,arena \
        --meters time,memory --runs 6 --memory-runs 4 --out "$folder" "$@" \
        >"$work/bench.out" 2>"$work/bench.err" </dev/null &
    bench=$!
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND is true.
wait_for()
{
    turns=$(($1 * 20)) what=$2
    shift 2
    until "$@"; do
        turns=$((turns - 1))
        [ $turns -gt 0 ] || fail "waited in vain for $what"
        sleep 0.05
    done
}

has_lines() # FILE N
{
    [ -r "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

# end_of_bench CODE: it ends with CODE.
end_of_bench()
{
    code=0
    wait "$bench" || code=$?
    [ $code -eq "$1" ] || fail "exit code $code (want $1): $(cat "$work/bench.err")"
}

# expect_part FOLDER: some runs, not all, each whole.
expect_part()
{
    done_runs=$(csv_runs "$1/samples.csv")
    if [ "$done_runs" -lt 1 ] || [ "$done_runs" -ge $runs ]; then
        fail "$1: $done_runs runs before it was stopped (want 1..$((runs - 1)))"
    fi
    [ -z "$(csv_pick "$1/samples.csv" run status=crash)" ] ||
        fail "$1: the run that was stopped became a row"
}

# expect_all FOLDER: after --resume.
expect_all()
{
    expect_every_run_once "$1"
    [ "$(csv_runs "$1/samples.csv" status=ok)" -eq $runs ] ||
        fail "$1: not all runs are ok"
    [ "$(csv_pick "$1/samples.csv" session | sort -u | wc -l)" -eq 2 ] ||
        fail "$1: want two sessions"
    [ ! -e "$1/traces" ] || fail "$1: traces were left behind"
}

for signal in INT TERM HUP; do
    start_bench $signal
    wait_for 10 "the first rows" has_lines "$folder/samples.csv" 20
    if [ $signal = INT ]; then # nobody else may write there meanwhile
        expect 3 "$HEAPYARD" bench --resume --out "$folder"
        expect_line "$work/err" "$folder: another heapyard is at work here"
    fi
    kill -$signal $bench
    end_of_bench 130
    expect_nothing_left "after SIG$signal"
    expect_part "$folder"
    expect_line "$work/bench.err" \
        "^heapyard bench: stopped; the rows of $done_runs of $runs runs are in $folder/samples.csv\$"
    command=$(sed -n 's/^heapyard bench: go on with: heapyard //p' "$work/bench.err")
    [ -n "$command" ] || fail "no command to go on with: $(cat "$work/bench.err")"
    # shellcheck disable=SC2086 # a command line, as a user would paste it
    expect 0 "$HEAPYARD" $command
    expect_all "$folder"
done

# All is done: nothing is run again, the report is the same.
cp "$folder/samples.csv" "$work/before.csv"
expect 0 "$HEAPYARD" bench --resume --out "$folder"
cmp "$work/before.csv" "$folder/samples.csv" || fail "rows after the last run"

# Under nohup a hang-up does not stop it.
(trap '' HUP && exec "$HEAPYARD" bench --workload $workload --meters time \
    --allocators null,system --runs 8 --out "$work/nohup" \
    >"$work/out" 2>"$work/bench.err" </dev/null) &
bench=$!
wait_for 10 "the first rows" has_lines "$work/nohup/samples.csv" 9
kill -HUP $bench
end_of_bench 0
expect_every_run_once "$work/nohup"

# While a trace is prepared, too: this one takes minutes.
folder=$work/preparing
"$HEAPYARD" bench --workload server-sim:heap=64m --scale 200 --out "$folder" \
    >"$work/out" 2>"$work/bench.err" </dev/null &
bench=$!
wait_for 10 "the header" has_lines "$folder/samples.csv" 1
sleep 1
kill -INT $bench
end_of_bench 130
expect_nothing_left "while preparing"
[ ! -e "$folder/traces" ] || fail "half a trace was left behind"

# `heapyard run` names its own command.
expect 0 "$HEAPYARD" plan --workload $workload --allocators system --runs 60 \
    --meters time --out "$work/alone.tsv"
"$HEAPYARD" run "$work/alone.tsv" --out "$work/alone" 2>"$work/bench.err" &
bench=$!
wait_for 10 "the first rows" has_lines "$work/alone/samples.csv" 20
kill -INT $bench
end_of_bench 130
command=$(sed -n 's/^heapyard run: go on with: heapyard //p' "$work/bench.err")
[ -n "$command" ] || fail "no command to go on with: $(cat "$work/bench.err")"
# shellcheck disable=SC2086
expect 0 "$HEAPYARD" $command
cp "$work/alone.tsv" "$work/alone/plan.tsv"
expect_every_run_once "$work/alone"

# SIGKILL: nobody is left, and the rows are good for --resume.
start_bench KILL
wait_for 10 "the first rows" has_lines "$folder/samples.csv" 20
kill -KILL $bench
end_of_bench 137
expect_nothing_left "after SIGKILL"
expect_part "$folder"
# As if it had come in the middle of a write, or the machine had lost power.
size=$(($(wc -c <"$folder/samples.csv") - 7))
head -c $size "$folder/samples.csv" >"$work/torn"
cp "$work/torn" "$folder/samples.csv"
expect 0 "$HEAPYARD" bench --resume --out "$folder"
expect_all "$folder"
# Torn within the header.
head -c 30 "$work/torn" >"$folder/samples.csv"
expect 0 "$HEAPYARD" bench --resume --out "$folder"
expect_every_run_once "$folder"

# SIGKILL while the child hangs in its allocator: it dies too.
if [ -r "$HEAPYARD_FAULTY/libfaulty-hang.so" ] &&
    ! is_sanitized; then
    for fault in hang hang-loading hang-leaving; do
        "$HEAPYARD" bench --workload server-sim:heap=1m --scale 0.01 \
            --allocators "$HEAPYARD_FAULTY/libfaulty-$fault.so" --meters time \
            --runs 1 --timeout 300 --out "$work/$fault" 2>"$work/bench.err" &
        bench=$!
        hangs()
        {
            for pid in $(left_running); do
                # both execs are over: the faulty library is in the child
                if grep -qs "libfaulty-$fault" "/proc/$pid/maps"; then
                    return 0
                fi
            done
            return 1
        }
        wait_for 10 "the child to load $fault" hangs
        sleep 0.2
        hangs || fail "$fault: the child did not hang"
        kill -KILL $bench
        end_of_bench 137
        expect_nothing_left "after SIGKILL with $fault"
    done
fi

# Another plan is refused, whatever was changed, and nothing is written.
folder=$work/changed
expect 0 "$HEAPYARD" bench --workload churn:objects=100:ops=1000 --runs 2 \
    --meters time --allocators null,system --out "$folder"
cp "$folder/plan.tsv" "$work/plan.tsv"
cp "$folder/samples.csv" "$work/before.csv"
refused() # WHAT: bench --resume OPTION... of a changed plan
{
    what=$1
    shift
    expect 2 "$HEAPYARD" bench --resume --out "$folder" "$@"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$what: $(cat "$work/err")"
    cmp -s "$work/before.csv" "$folder/samples.csv" ||
        fail "$what: samples.csv was changed"
}
change() # COLUMN NEW-VALUE: in the first run
{
    awk -F '\t' -v column="$1" -v value="$2" 'BEGIN { OFS = FS }
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
        NR == 2 { $at = value }
        { print }' "$work/plan.tsv" >"$folder/plan.tsv"
    refused "$1 = $2"
    expect_line "$work/err" 'run 1 is not of this plan'
}
change block 2
change workload churn:objects=101:ops=1000
change threads 2
change scale 2
change seed 2
change allocator arena
change meter memory
change touch full
change window 4000
sed '$d' "$work/plan.tsv" >"$folder/plan.tsv"
refused "a plan that is shorter"
cp "$work/plan.tsv" "$folder/plan.tsv"
refused "options of another plan" --workload churn:objects=100:ops=1000 \
    --runs 3 --meters time --allocators null,system
expect_line "$work/err" 'another plan'
# The options of the same plan may be given again.
expect 0 "$HEAPYARD" bench --workload churn:objects=100:ops=1000 --runs 2 \
    --meters time --allocators null,system --out "$folder" --resume
# Without --resume nothing is touched.
expect 2 "$HEAPYARD" bench --workload churn:objects=100:ops=1000 --runs 2 \
    --meters time --allocators null,system --out "$folder"
expect_line "$work/err" 'go on with --resume, or use another --out'
expect 2 "$HEAPYARD" bench --resume --out "$work/nowhere"
expect_line "$work/err" 'No such file or directory'
expect 2 "$HEAPYARD" bench --resume
expect_line "$work/err" '--resume needs --out'
cmp "$work/before.csv" "$folder/samples.csv" || fail "samples.csv was changed"
