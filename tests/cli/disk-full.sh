#!/bin/sh
# disk-full.sh - a full disk costs no row that was written.
#
# When samples.csv cannot grow, the run ends with exit code 3 and a message
# that names the file; what stands in it is whole, and --resume goes on when
# there is room.  Once with a limit on the size of files, and, where we may
# mount one, in a file system that is too small.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# A trace of 2 KiB, and some hundred bytes a row: the samples fill up first.
workload=churn:objects=10:ops=100

# expect_stop FOLDER PATTERN: after a run that had no room.
expect_stop()
{
    expect_line "$work/err" "$2"
    [ "$(grep -c . "$work/err")" -le 2 ] || fail "too much: $(cat "$work/err")"
    done_runs=$(csv_runs "$1/samples.csv")
    plan_runs=$(($(wc -l <"$1/plan.tsv") - 1))
    if [ "$done_runs" -lt 1 ] || [ "$done_runs" -ge $plan_runs ]; then
        fail "$1: $done_runs runs of $plan_runs (want some, not all)"
    fi
    # Whole runs: each has all values that a run of its kind has.
    csv_pick "$1/samples.csv" run | sort | uniq -c | awk '{ print $1 }' |
        sort -u >"$work/rows-a-run"
    [ "$(wc -l <"$work/rows-a-run")" -eq 1 ] ||
        fail "$1: runs of different lengths: $(cat "$work/rows-a-run")"
    expect_nothing_left "$1"
}

# ---- a limit on the size of files ----

folder=$work/limit
mkdir "$folder"
expect 0 "$HEAPYARD" plan --workload $workload --allocators null,system \
    --meters time --runs 100 --out "$folder/plan.tsv"
# In blocks of 512 bytes (sh) or 1024 (bash); less than 66 KiB would be too
# little for the page that runner and child share.
expect 3 sh -c 'ulimit -f 160 && exec "$@"' sh \
    "$HEAPYARD" run "$folder/plan.tsv" --out "$folder"
expect_stop "$folder" \
    "^heapyard run: $folder/samples.csv: File too large; the rows of [0-9]+ runs are whole: make room and go on with --resume\$"
kept=$(csv_count "$folder/samples.csv")
# Without more room nothing changes.  (Rows differ by some bytes, so one that
# was just too long might fit the next time.)
expect 3 sh -c 'ulimit -f 150 && exec "$@"' sh \
    "$HEAPYARD" run "$folder/plan.tsv" --out "$folder" --resume
[ "$(csv_count "$folder/samples.csv")" -eq "$kept" ] ||
    fail "rows were lost or added by a run without room"
expect 0 "$HEAPYARD" run "$folder/plan.tsv" --out "$folder" --resume
expect_every_run_once "$folder"

# No room for the trace itself: no run is given up, each is still to do.
folder=$work/trace
mkdir "$folder"
expect 0 "$HEAPYARD" plan --workload churn:objects=1000:ops=40000 \
    --allocators null,system --meters time --runs 2 --out "$folder/plan.tsv"
expect 3 sh -c 'ulimit -f 160 && exec "$@"' sh \
    "$HEAPYARD" run "$folder/plan.tsv" --out "$folder"
expect_line "$work/err" 'traces/0.hyr.*File too large.*--resume'
[ "$(csv_count "$folder/samples.csv")" -eq 0 ] ||
    fail "runs without a trace were given up"
expect 0 "$HEAPYARD" run "$folder/plan.tsv" --out "$folder" --resume
expect_every_run_once "$folder"

# Real programs: what was measured before the disk was full can be used.
if command -v hyperfine >/dev/null && command -v perl >/dev/null; then
    printf '%s\n' 'version: 1' 'summary: a test' 'source: disk-full.sh' \
        'packages: perl' 'needs: perl' 'program: perl' 'output: same' \
        'command: perl -e print(1)' 'score: cpu' >"$work/tiny.app"
    expect 3 sh -c 'ulimit -f 40 && exec "$@"' sh "$HEAPYARD" apps \
        "$work/tiny.app" --allocators system --runs 50 --memory-runs 0 \
        --out "$work/apps"
    expect_line "$work/err" 'apps/samples.csv: File too large$'
    expect 0 "$HEAPYARD" stat "$work/apps/samples.csv"
fi

# ---- where nothing can be written ----

if [ -w /dev/full ]; then
    expect 3 "$HEAPYARD" plan --workload $workload --out /dev/full
    expect_line "$work/err" 'heapyard plan: /dev/full: No space left on device'
    for verb in list "plan --workload $workload"; do
        # shellcheck disable=SC2086 # words of a command
        expect 3 sh -c '"$@" >/dev/full' sh "$HEAPYARD" $verb
        expect_line "$work/err" 'standard output: No space left on device'
    done
fi
echo >"$work/file"
expect 3 "$HEAPYARD" bench --workload $workload --allocators system \
    --out "$work/file/below"
expect_line "$work/err" "$work/file/below: Not a directory"

# ---- a file system that is too small ----

small=$work/small
mkdir "$small"
# shellcheck disable=SC2016 # for the inner shell
own_mounts='mount -t tmpfs -o size=64k heapyard "$1" && shift && exec "$@"'
if unshare -m true 2>/dev/null && [ "$(id -u)" -eq 0 ]; then
    space="unshare -m"
elif unshare -rm true 2>/dev/null; then
    space="unshare -rm"
else
    space=
fi
if [ -z "$space" ] ||
    ! $space sh -c "$own_mounts" sh "$small" true 2>"$work/err"; then
    echo "note: no tmpfs can be mounted here; that part was left out"
    exit 0
fi

# In the mount: bench stops; room is made by removing ballast; it goes on.
cat >"$work/in-tmpfs" <<'END'
heapyard=$1 folder=$2 workload=$3 out=$4
cd "$folder" || exit 9
dd if=/dev/zero of=ballast bs=1024 count=34 2>/dev/null
"$heapyard" bench --workload "$workload" --allocators null,system \
    --meters time --runs 20 --out results >"$out/first.out" 2>"$out/first.err"
echo $? >"$out/first.code"
cp results/samples.csv "$out/first.csv"
cp results/plan.tsv "$out/plan.tsv"
df -k . >"$out/first.df"
rm ballast
mount -o remount,size=8m .
"$heapyard" bench --resume --out results >"$out/second.out" 2>"$out/second.err"
echo $? >"$out/second.code"
cp results/samples.csv results/summary.csv "$out/"
# No room for so much as the plan: nothing half-made is left.
dd if=/dev/zero of=ballast bs=1024 2>/dev/null
"$heapyard" bench --workload "$workload" --allocators system --runs 9 \
    --meters time --out full >"$out/third.out" 2>"$out/third.err"
echo $? >"$out/third.code"
[ ! -e full/plan.tsv ] || echo "half a plan was left" >>"$out/third.err"
END
mkdir "$work/outside"
# shellcheck disable=SC2086 # words of a command
expect 0 $space sh -c "$own_mounts" sh "$small" \
    sh "$work/in-tmpfs" "$HEAPYARD" "$small" $workload "$work/outside"
cd "$work/outside" || exit
[ "$(cat first.code)" -eq 3 ] ||
    fail "tmpfs: exit code $(cat first.code) (want 3): $(cat first.err)"
mkdir first
cp first.csv first/samples.csv
cp plan.tsv first/plan.tsv
expect_line first.err '^heapyard bench: bad disk: 0 MiB are free'
grep -v 'bad disk: ' first.err >"$work/err"
expect_stop first \
    'results/samples.csv: No space left on device; the rows of [0-9]+ runs are whole'
[ "$(cat second.code)" -eq 0 ] ||
    fail "tmpfs: exit code $(cat second.code) after making room: $(cat second.err)"
expect_every_run_once .
[ "$(cat third.code)" -eq 3 ] ||
    fail "tmpfs: exit code $(cat third.code) (want 3): $(cat third.err)"
grep -q 'half a plan' third.err && fail "half a plan was left"
expect_line third.err 'No space left on device'
[ "$(wc -l <third.err)" -eq 1 ] || fail "third: $(cat third.err)"
