#!/bin/sh
# gate.sh - what the gate says and exits with, against each kind of baseline.
#
# A program against its own build passes; counts that were made smaller in the
# baseline's file, and a candidate that crashes, are regressions; what cannot
# be compared is refused with the reason, and does not pass for a comparison.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

workload=churn:objects=2000:ops=20000
build=$(dirname "$HEAPYARD")

# gate CODE NAME OPTION...: into $work/NAME; slab unless an option says more.
gate()
{
    want_code=$1 name=$2
    shift 2
    expect "$want_code" "$HEAPYARD" gate --workload $workload --out \
        "$work/$name" "$@"
}

# expect_cell NAME METRIC VERDICT [WHY]: in gate.csv.
expect_cell()
{
    file=$work/$1/gate.csv
    verdict=$(csv_pick "$file" verdict "metric=$2")
    why=$(csv_pick "$file" why "metric=$2")
    [ "$verdict" = "$3" ] || fail "$1: $2 is $verdict (want $3): $why"
    echo "$why" | grep -qE -- "${4:-.}" || fail "$1: $2: why: $why"
}

# ---- usage ----

# expect_usage PATTERN OPTION...: one line that says it, and nothing is made.
expect_usage()
{
    pattern=$1
    shift
    expect 2 "$HEAPYARD" gate --out "$work/usage" "$@"
    expect_line "$work/err" "^heapyard gate: $pattern"
    [ "$(grep -cv '^Try ' "$work/err")" -eq 1 ] ||
        fail "more than one line: $(cat "$work/err")"
    [ ! -s "$work/out" ] || fail "usage on standard output: $*"
    rm -rf "$work/usage"
}

expect_usage 'want one of --baseline, --baseline-build, --baseline-ref'
expect_usage 'want one of' --baseline a --baseline-build b
expect_usage '--report = nonsense=x \(want KIND=FILE' --baseline a \
    --report nonsense=x
expect_usage '--report = junit= \(want' --baseline a --report junit=
expect_usage '--report = junit \(want' --baseline a --report junit
expect_usage '--threshold = x \(want a share such as 2%' --baseline a \
    --threshold x
expect_usage '--threshold = "" \(want one of: ' --baseline a --threshold =2%
expect_usage '--metrics = "speed" \(want one of: checked_ops, ' --baseline a \
    --metrics speed
expect_usage '--budget = 0 \(want' --baseline a --budget 0
expect_usage '--budget = 5h \(want' --baseline a --budget 5h
expect_usage '--level = 50% \(want 0.0001..0.2\)' --baseline a --level 50%
expect_usage '--exact-scale = 0 \(want' --baseline a --exact-scale 0
expect_usage '--baseline-library wants one --allocator' --baseline-library a
expect_usage '--baseline-library wants one --allocator' --baseline-library a \
    --allocators slab,pool
long=$(printf '%0300d' 0)
expect_usage '--baseline-library = 0000.* \(want at most' --allocator slab \
    --baseline-library "$long"
expect_usage "$work/none: No such file" --baseline "$work/none"
expect_usage "$work: no heapyard there" --baseline-build "$work"

# ---- against its own build ----

metrics=leaked_bytes,checked_ops,rss_peak
if command -v valgrind >/dev/null && ! is_sanitized; then
    metrics=$metrics,sim_instructions
fi
printf 'text before\n' >"$work/gate.md"
printf 'text before\n' >"$work/gate.xml"
gate 0 same --baseline-build "$build" --allocators slab,buddy \
    --metrics $metrics --exact-scale 1 --report "junit=$work/gate.xml" \
    --report "markdown=$work/gate.md" --report "csv=$work/more.csv"
file=$work/same/gate.csv
cells=$((2 * $(echo $metrics | tr ',' '\n' | wc -l)))
[ "$(csv_pick "$file" verdict | grep -cx unchanged)" -eq $cells ] ||
    fail "a build against itself: $(cat "$work/out")"
expect_line "$work/out" "^$cells unchanged of $cells cells"
[ "$(csv_pick "$file" allocator | sort -u | tr '\n' ' ')" = "buddy slab " ] ||
    fail "other allocators than those that were named"
csv_tsv "$work/more.csv" >"$work/tsv"
[ "$(wc -l <"$work/tsv")" -eq $((cells + 1)) ] || fail "--report csv: cells"
for side in baseline candidate; do
    [ "$(csv_count "$work/same/$side/samples.csv" metric=checked_ops)" -eq 2 ] ||
        fail "$side: rows"
    [ -s "$work/same/$side/environment.csv" ] || fail "$side: no environment"
done
[ ! -e "$work/same/traces" ] || fail "traces were left behind"
expect_line "$work/gate.md" '^text before' # it is appended to
expect_line "$work/gate.md" 'checked.*24003'
grep -q 'text before' "$work/gate.xml" && fail "junit was appended to"
expect_line "$work/gate.xml" '<testsuite'
if command -v xmllint >/dev/null; then
    xmllint --noout "$work/gate.xml" || fail "junit is not well-formed"
fi

# Rows are not written over, and a report that cannot be written is an error.
gate 2 same --baseline-build "$build" --allocator slab --metrics checked_ops
expect_line "$work/err" "$work/same/baseline/samples.csv: File exists"
gate 2 unwritten --baseline-build "$build" --allocator slab \
    --metrics checked_ops --report "junit=$work/none/gate.xml"
expect_line "$work/err" "$work/none/gate.xml: No such file"

# ---- times in pairs ----

gate 0 pairs --baseline-build "$build" --allocator slab --budget 1 \
    --metrics mid_per_op --threshold 500%
expect_cell pairs mid_per_op unchanged 'within the margin'
pairs=$(csv_pick "$work/pairs/gate.csv" pairs)
[ "$pairs" -ge 5 ] || fail "only $pairs pairs"
[ "$(csv_runs "$work/pairs/candidate/samples.csv")" -eq "$((4 * pairs))" ] ||
    fail "the pairs are not those of the rows"
expect_line "$work/out" '^How often such verdicts are wrong|^Calibration: '

# ---- against a file ----

# edit NAME AWK: a baseline made of the candidate's rows above.
edit()
{
    mkdir "$work/$1"
    cp "$work/same/candidate/environment.csv" "$work/$1"
    awk -F , -v OFS=, "$2" "$work/same/candidate/samples.csv" \
        >"$work/$1/samples.csv"
}

# against CODE NAME OPTION...: the edited baseline, by file and metrics.
against()
{
    code_wanted=$1 file_name=$2
    shift 2
    gate "$code_wanted" "of-$file_name" --baseline "$work/$file_name" \
        --allocator slab --exact-scale 1 "$@"
}

# Columns: 7 seed, 10 meter, 14 metric, 17 value.
edit as-it-was '{ print }'
against 0 as-it-was --metrics $metrics --strict
expect_line "$work/out" '^Rows     .*/candidate/samples.csv$'
[ ! -e "$work/of-as-it-was/baseline" ] || fail "rows of a side not played"

edit fewer '{ if ($14 == "checked_ops") $17 *= 1.01; print }'
against 1 fewer --metrics checked_ops,leaked_bytes --report annotations=-
expect_line "$work/out" '^::error '
expect_line "$work/out" '^Rows '
expect_cell of-fewer checked_ops regressed 'worse: .* is -0.99 % \(margin 0 %\)'
expect_cell of-fewer leaked_bytes unchanged 'the same: 0'
expect_line "$work/out" '^regressed .*checked_ops'
against 0 fewer --metrics checked_ops --threshold 2% --out "$work/of-wide"
expect_cell of-wide checked_ops unchanged 'within the margin'

case $metrics in
*sim_instructions*)
    edit quicker '{ if ($14 == "sim_instructions") $17 = int($17 * .99)
        print }'
    against 1 quicker --metrics sim_instructions
    expect_cell of-quicker sim_instructions regressed 'is \+1.01 %'
    edit slower '{ if ($14 == "sim_instructions") $17 = int($17 * 1.02)
        print }'
    against 0 slower --metrics sim_instructions
    expect_cell of-slower sim_instructions improved 'is -1.96 %'
    edit elsewhere '{ print }'
    sed -i 's/,cpu,.*/,cpu,Zilog Z80/' "$work/elsewhere/environment.csv"
    against 2 elsewhere --metrics sim_instructions
    expect_cell of-elsewhere sim_instructions refused \
        'another machine: cpu was "Zilog Z80"'
    ;;
esac

# Nothing but times: nothing can be compared.  Beside a count they are left.
against 2 as-it-was --metrics cpu_per_op --out "$work/of-times"
expect_cell of-times cpu_per_op refused 'another session cannot be compared'
against 0 as-it-was --metrics cpu_per_op,checked_ops --out "$work/of-both"
expect_cell of-both checked_ops unchanged
against 3 as-it-was --metrics cpu_per_op,checked_ops --strict \
    --out "$work/of-strict"

# What was played is not what is played.
edit reseeded 'NR > 1 { $7 = 2 } { print }'
against 2 reseeded --metrics checked_ops
expect_cell of-reseeded checked_ops refused 'has seed 2 \(want 1\)'
edit changed '{ if ($14 == "trace_hash") $17 = 12345; print }'
against 2 changed --metrics checked_ops
expect_cell of-changed checked_ops refused 'the workload has changed'
against 2 as-it-was --metrics checked_ops --scale 0.5 --out "$work/of-scaled"
expect_cell of-scaled checked_ops refused 'scale 1, .* \(want check, 1, 0.5'
# 0.7 times 0.1 is the scale 0.07
gate 0 seventh --baseline-build "$build" --allocator slab --scale 0.7 \
    --exact-scale 0.1 --metrics checked_ops
gate 0 of-seventh --baseline "$work/seventh/candidate" --allocator slab \
    --scale 0.07 --exact-scale 1 --metrics checked_ops
expect_cell of-seventh checked_ops unchanged
edit hashless '$14 != "trace_hash" { print }'
against 2 hashless --metrics checked_ops
expect_cell of-hashless checked_ops refused 'no trace_hash on one side'
# a second session behind the first, of another seed
edit mixed '{ print }'
awk -F , -v OFS=, 'NR > 1 { $1 = "later"; $7 = 9; print }' \
    "$work/same/candidate/samples.csv" >>"$work/mixed/samples.csv"
against 2 mixed --metrics checked_ops
expect_cell of-mixed checked_ops refused 'has seed 9 \(want 1\)'
# of a program or allocator that it does not have
gate 2 of-other --baseline "$work/as-it-was" --allocator pool \
    --exact-scale 1 --metrics checked_ops
expect_cell of-other checked_ops refused 'the baseline has no such cell'

edit twice '{ print } NR == 2 { print }'
against 2 twice --metrics checked_ops
expect_line "$work/err" "^heapyard gate: $work/twice/samples.csv:3: .* stands twice"

# ---- libraries ----

if [ -r "$HEAPYARD_FAULTY/libfaulty-count.so" ] &&
    ! is_sanitized; then
    good=$HEAPYARD_FAULTY/libfaulty-count.so
    crashes=$HEAPYARD_FAULTY/libfaulty-crash.so
    gate 0 library --allocator "$good" --baseline-library "$good" \
        --metrics checked_ops
    expect_cell library checked_ops unchanged
    [ "$(csv_pick "$work/library/gate.csv" allocator)" = "$good" ] ||
        fail "--baseline-library: other allocators are judged too"
    gate 1 crash --allocator "$crashes" --baseline-library "$good" \
        --metrics checked_ops,cpu_per_op --budget 1
    expect_cell crash checked_ops regressed "candidate's run failed: crash"
    expect_cell crash cpu_per_op regressed "candidate's run failed: crash"
    # the other way round there is nothing to compare times with
    gate 0 mended --allocator "$good" --baseline-library "$crashes" \
        --metrics checked_ops,cpu_per_op --budget 1
    expect_cell mended checked_ops improved "baseline's run failed: crash"
    expect_cell mended cpu_per_op refused "baseline's run failed: crash"
    gate 2 no-library --allocator slab --metrics checked_ops \
        --baseline-library "$work/none.so"
    expect_cell no-library checked_ops refused 'none.so: No such file'
fi

# ---- commits ----

if command -v git >/dev/null; then
    gate 2 ref --baseline-ref no-such-commit --allocator slab \
        --metrics checked_ops
    expect_line "$work/err" 'git cannot check out "no-such-commit" of '
    gate 2 no-ref --baseline-ref -x --allocator slab --metrics checked_ops
    expect_line "$work/err" '--baseline-ref = -x \(want a commit\)'
fi

# A build that is stopped takes all that it has started along, and its sources
# are removed.  Both programs are stand-ins, so nothing is built.
mkdir "$work/bin"
cat >"$work/bin/git" <<'END'
#!/bin/sh
case $4 in # of -C SOURCE worktree add --force --detach FOLDER COMMIT
add) mkdir "$7" ;;
remove) rmdir "$6" ;; # of -C SOURCE worktree remove --force FOLDER
esac
END
cat >"$work/bin/cmake" <<'END'
#!/bin/sh
case $1 in
-S) mkdir "$4" ;; # the folder to build in
*) sleep 100 & wait ;;
esac
END
chmod +x "$work/bin/git" "$work/bin/cmake"
PATH=$work/bin:$PATH "$HEAPYARD" gate --workload $workload \
    --baseline-ref HEAD --allocator slab --metrics checked_ops \
    --out "$work/unbuilt" >"$work/out" 2>"$work/err" </dev/null &
pid=$!
turns=200
until [ -d "$work/unbuilt/baseline-build" ]; do
    turns=$((turns - 1))
    [ $turns -gt 0 ] || fail "waited in vain for a build: $(cat "$work/err")"
    sleep 0.05
done
sleep 0.2
kill -TERM $pid
code=0
wait $pid || code=$?
[ $code -eq 130 ] || fail "exit code $code of a stopped build: $(cat "$work/err")"
[ "$(ls "$work/unbuilt")" = build.log ] ||
    fail "left of a stopped build: $(ls "$work/unbuilt")"
expect_nothing_left "after a stopped build"

# ---- Ctrl-C ----

"$HEAPYARD" gate --workload $workload --out "$work/stopped" \
    --baseline-build "$build" --allocator slab --metrics cpu_per_op \
    --budget 60 >"$work/out" 2>"$work/err" </dev/null &
pid=$!
turns=200
until [ -r "$work/stopped/candidate/samples.csv" ] &&
    [ "$(wc -l <"$work/stopped/candidate/samples.csv")" -gt 20 ]; do
    turns=$((turns - 1))
    [ $turns -gt 0 ] || fail "waited in vain for rows"
    sleep 0.05
done
kill -INT $pid
code=0
wait $pid || code=$?
[ $code -eq 130 ] || fail "exit code $code after Ctrl-C: $(cat "$work/err")"
expect_line "$work/err" "stopped; the rows so far are in $work/stopped"
for side in baseline candidate; do
    csv_tsv "$work/stopped/$side/samples.csv" >"$work/tsv"
    [ "$(wc -l <"$work/tsv")" -gt 10 ] || fail "$side: rows are lost"
    [ -z "$(csv_pick "$work/stopped/$side/samples.csv" run status=crash)" ] ||
        fail "$side: the run that was stopped became a row"
done
[ ! -e "$work/stopped/traces" ] || fail "traces were left behind"
expect_nothing_left "after Ctrl-C"
