#!/bin/sh
# adaptive.sh - a bench ends when it is precise enough, or out of time.
#
# --precision and --budget leave the rest of the plan undone, say why, and give
# a report as ever; --resume goes on from there; a spec file can hold them.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

small=churn:objects=100:ops=20000

# blocks FOLDER: the last block that has rows.
blocks()
{
    csv_pick "$1/samples.csv" block | sort -n | tail -n 1
}

# expect_whole_blocks FOLDER N: all runs of blocks 1 to N, each once, no other.
expect_whole_blocks()
{
    want=$(awk -F '\t' -v n="$2" 'NR > 1 && $2 <= n' "$1/plan.tsv" | wc -l)
    have=$(csv_runs "$1/samples.csv")
    [ "$have" -eq "$want" ] || fail "$1: $have runs of $2 blocks (want $want)"
    [ "$(blocks "$1")" -eq "$2" ] || fail "$1: ends with block $(blocks "$1")"
    expect_line "$work/out" '^ *(system|arena) '
    [ -s "$1/summary.csv" ] || fail "$1: no summary"
}

# ---- precision ----

# Half of an interval is rarely as wide as the ratio itself: it stops early.
expect 0 "$HEAPYARD" bench --workload $small --allocators system,arena \
    --meters time,memory --memory-runs 2 --precision 50% --out "$work/a"
expect_line "$work/err" '^heapyard bench: stopped after [0-9]+ blocks: all ratios within 50 %; widest ratio interval \+-[0-9.]+ % \(arena on churn:.*\)$'
n=$(blocks "$work/a")
if [ "$n" -lt 6 ] || [ "$n" -ge 200 ]; then
    fail "--precision 50% stopped after $n blocks (want 6..199)"
fi
expect_whole_blocks "$work/a" "$n"
[ "$(tail -n 1 "$work/a/plan.tsv" | cut -f 2)" -eq 200 ] ||
    fail "a plan with --precision has other than 200 blocks"
[ "$(csv_runs "$work/a/samples.csv" meter=memory)" -eq 4 ] ||
    fail "--memory-runs 2 does not hold with --precision"

# The widest interval that was told is the one of the summary.
told=$(sed -n 's/.*interval +-\([0-9.]*\) %.*/\1/p' "$work/err")
lo=$(csv_pick "$work/a/summary.csv" ratio_lo allocator=arena metric=wall_per_op)
hi=$(csv_pick "$work/a/summary.csv" ratio_hi allocator=arena metric=wall_per_op)
value=$(csv_pick "$work/a/summary.csv" ratio allocator=arena metric=wall_per_op)
awk -v t="$told" -v lo="$lo" -v hi="$hi" -v r="$value" 'BEGIN {
    w = 50 * (hi - lo) / r; exit !(w > t * 0.94 && w < t * 1.06 && r > 0) }' ||
    fail "told +-$told %; the summary has $value [$lo, $hi]"

# --resume with the same rule has nothing to do; --runs says how many at most.
expect 0 "$HEAPYARD" bench --resume --precision 50% --out "$work/a"
expect_line "$work/err" "stopped after $n blocks: "
expect_whole_blocks "$work/a" "$n"
expect 0 "$HEAPYARD" bench --workload $small --allocators system,arena \
    --meters time --runs 7 --precision 0.1% --out "$work/b"
expect_line "$work/err" '^heapyard bench: (all 7 blocks done|stopped after [67] blocks); widest ratio'
expect 2 "$HEAPYARD" bench --workload $small --allocators null,system \
    --precision 1% --out "$work/never"
expect_line "$work/err" '^heapyard bench: --precision = 1% \(want meter time with the baseline system and another'
[ ! -e "$work/never" ] || fail "a refused bench has made its folder"

# ---- budget ----

begin=$(date +%s)
expect 0 "$HEAPYARD" bench --workload $small --allocators null,system \
    --meters time --budget 2s --out "$work/c"
took=$(($(date +%s) - begin))
[ "$took" -le 6 ] || fail "--budget 2s took $took s" # charts are drawn, too
expect_line "$work/err" '^heapyard bench: budget of 2 s used: [0-9]+ blocks?$'
n=$(blocks "$work/c")
expect_whole_blocks "$work/c" "$n"
[ "$n" -lt 1000 ] || fail "--budget 2s did $n blocks"

# On from there, with a budget of its own, then to a fixed number of runs.
expect 0 "$HEAPYARD" bench --resume --budget 1 --out "$work/c"
more=$(blocks "$work/c")
[ "$more" -gt "$n" ] || fail "--resume has not gone on after $n blocks"
expect_whole_blocks "$work/c" "$more"
expect 2 "$HEAPYARD" bench --resume --runs 3 --budget 1s --out "$work/c"
expect_line "$work/err" 'is another plan'

# ---- stages, and a spec file ----

cat >"$work/spec" <<END
workload = $small
allocators = null,system,arena
meters = time
precision = 50%
budget = 1m
runs = 30
END
expect 0 "$HEAPYARD" bench --spec "$work/spec" --out "$work/d"
expect_line "$work/err" 'stopped after [0-9]+ blocks: all ratios within 50 %'
expect 0 "$HEAPYARD" plan --spec "$work/spec" --out "$work/plan.tsv"
cmp -s "$work/plan.tsv" "$work/d/plan.tsv" || fail "plan and bench differ"
expect 0 "$HEAPYARD" run "$work/plan.tsv" --precision 50% --out "$work/e"
expect_line "$work/err" '^heapyard run: stopped after [0-9]+ blocks: all'
expect 0 "$HEAPYARD" run "$work/plan.tsv" --resume --out "$work/e"
cp "$work/plan.tsv" "$work/e"
expect_every_run_once "$work/e"
expect 2 "$HEAPYARD" run "$work/plan.tsv" --budget 0 --out "$work/never"
expect_line "$work/err" '^heapyard run: --budget = 0 \(want 1s\.\.168h'
