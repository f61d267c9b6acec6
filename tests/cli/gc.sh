#!/bin/sh
# gc.sh - heapyard gc: a study of collectors, and the search of their knobs.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

load=binary-trees:depth=10

refuse()
{
    want_code=$1
    pattern=$2
    shift 2
    expect "$want_code" "$HEAPYARD" gc "$@"
    expect_line err "^heapyard gc: $pattern"
}
refuse 2 'want --workload NAME'
refuse 2 'want one --workload' --workload churn,gcbench
refuse 2 '--factors = 2,1 \(want at most 12 numbers in 1\.\.100, rising\)' \
    --workload $load --factors 2,1
refuse 2 '--factors = 0\.5 ' --workload $load --factors 0.5
refuse 2 '--factors = "" \(want such as' --workload $load --factors ''
refuse 2 '--allocators = slab: slab does not collect' \
    --workload $load --allocators slab
refuse 2 '--allocators = nosuch: nosuch is no collector' \
    --workload $load --allocators nosuch
refuse 2 '--tune = speed \(want throughput, pause or memory\)' \
    --workload $load --tune speed
refuse 2 '--resume needs --out FOLDER' --resume
refuse 2 '--tune goes without --factors' --workload $load --tune pause \
    --factors 2 --allocators slab
refuse 2 '--tune goes without --resume' --tune pause --resume --out nosuch
:>a-file
refuse 3 'a-file: Not a directory' --workload $load --out a-file
expect 0 "$HEAPYARD" gc --help
expect_line out 'heapyard gc --workload gcbench --tune pause'

# Any collector that can be used here.
collector=
for name in gc bdwgc; do
    "$HEAPYARD" replay --workload $load --allocator $name --meter gc >out 2>err ||
        continue
    collector=$name
    break
done
[ "$collector" ] || skip "no collector was built in"
refuse 2 "--allocators = $collector:limit=8m: .* sets limit" \
    --workload $load --allocators $collector:limit=8m
refuse 2 'no workload or recorded trace is called "nosuch"' \
    --workload nosuch --allocators $collector --out nosuch
refuse 2 'slab has no knob left' --workload $load --tune memory \
    --allocator slab --out tuned-slab
[ ! -e nosuch ] && [ ! -e tuned-slab ] || fail "a refusal left a folder"

# ---- a study ----

expect 0 "$HEAPYARD" gc --workload $load --allocators $collector --quick \
    --factors 2 --runs 2 --memory-runs 1 --out study
expect_line err "$collector runs in .* limits tried"
expect_line out '^system +freed .* 1 \(baseline\)'
expect_line out '^min heap  '
expect_line out '^LBO '
for file in samples.csv summary.csv arms.csv collections.csv \
    samples.schema.json collections.schema.json; do
    [ -s study/$file ] || fail "no study/$file"
done
# A fixed colour is nobody else's, and each curve has a place of its own.
palette=$HEAPYARD_SOURCE/plots/palette.gp
for colour in $(sed -n 's/^ *name eq .*\(0x[0-9A-F]*\) .*/\1/p' "$palette"); do
    [ "$(grep -c "$colour" "$palette")" -eq 1 ] || fail "two are $colour"
done
if [ -s study/charts/lower-bound.tsv ]; then
    places=$(awk 'NF == 6 { print $3 }' study/charts/lower-bound.tsv | sort)
    [ "$(echo "$places" | wc -l)" -ge 4 ] || fail "curves: $places"
    [ -z "$(awk 'NF == 6 { print $1, $3 }' study/charts/lower-bound.tsv |
        sort -u | cut -d ' ' -f 2 | sort | uniq -d)" ] || fail "places: $places"
fi
# Five arms: at twice the minimum, without a limit, and three that are freed.
[ "$(wc -l <study/arms.csv)" -eq 6 ] || fail "arms: $(cat study/arms.csv)"
[ "$(csv_runs study/samples.csv meter=gc status=ok)" -eq 4 ] || fail "gc runs"
[ "$(csv_runs study/samples.csv meter=time status=ok)" -eq 10 ] || fail "runs"

# The minimum is what it says: it runs in that, and not in a quarter of it.
min=$(csv_pick study/arms.csv min_heap collector=$collector | head -n 1)
expect 0 "$HEAPYARD" replay --workload $load --allocator "$collector:limit=$min"
small=$(csv_pick study/arms.csv too_small collector=$collector | head -n 1)
[ "$small" -lt "$min" ] || fail "$small is too small, $min fits"
[ "$(csv_pick study/arms.csv limit factor=2)" -ge $((2 * min)) ] ||
    fail "twice the minimum: $(cat study/arms.csv)"

# It is there already; what was stopped goes on, and is not done again.
refuse 2 'study/plan\.tsv is there: go on with --resume' --workload $load \
    --allocators $collector --out study
cp study/samples.csv whole.csv
awk 'NR <= 60' whole.csv >study/samples.csv
expect 0 "$HEAPYARD" gc --resume --out study
[ "$(csv_runs study/samples.csv status=ok)" -eq "$(csv_runs whole.csv status=ok)" ] ||
    fail "resumed: other runs"

# ---- the search ----

expect 0 "$HEAPYARD" gc --workload $load --allocator $collector --scale 0.5 \
    --tune throughput --runs 6 --out tuned
expect_line out "settings of $collector, wall time on $load"
expect_line out "^best in the search: $collector:"
expect_line out '^  wall time +[0-9.]+ \[[0-9.]+, [0-9.]+\]  '
# No win whose interval holds 1.
awk '/better$/ { sub(/.*, /, ""); sub(/\].*/, ""); if ($0 >= 1) bad = 1 }
    /worse$/ { sub(/.*\[/, ""); sub(/,.*/, ""); if ($0 <= 1) bad = 1 }
    END { exit bad }' out || fail "a verdict against its interval: $(cat out)"
[ ! -e tuned ] || fail "a folder is left of the search"

# What could not take part is named: in such a heap nothing is collected.
if [ $collector = gc ]; then
    expect 0 "$HEAPYARD" gc --workload binary-trees:depth=12 --scale 0.5 \
        --allocator gc:growth=3:markers=1:generational=on:share=5 --tune pause \
        --runs 6
    expect_line out '^left out, failed or without value: .*share=5:min=128m'
fi

# Stopped, it says so, and leaves nothing half done.
"$HEAPYARD" gc --workload binary-trees:depth=14 --allocators $collector \
    --out stopped >out 2>err &
pid=$!
sleep 0.7
kill -TERM $pid
code=0
wait $pid || code=$?
[ $code -eq 130 ] || fail "stopped: exit code $code (want 130): $(cat err)"
[ ! -d stopped/traces ] || fail "traces are left"
expect_nothing_left "gc"
