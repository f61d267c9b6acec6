#!/bin/sh
# memory.sh - the memory meter says what is held after a heap has shrunk.
#
# random-free leaves a tenth of a heap.  The arena gives nothing back, so its
# footprint over live bytes must grow tenfold; whoever serves, the ratio must
# be that of the two figures that stand beside it, in samples and in summary.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

expect 0 "$HEAPYARD" plan --workload random-free:objects=200000:freed=90 \
    --allocators system,arena --meters memory --runs 2 --memory-runs 2 --out "$work/plan.tsv"
expect 0 "$HEAPYARD" run "$work/plan.tsv" --out "$work"
expect 0 "$HEAPYARD" stat "$work/samples.csv" -o "$work/summary.csv"
expect_every_run_once "$work"

# figure ALLOCATOR METRIC MARK: of its first run.
figure()
{
    csv_pick "$work/samples.csv" value "allocator=$1" "metric=$2" "at=mark:$3" |
        head -n 1
}

# holds EXPRESSION: awk finds it true.
holds()
{
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}

for allocator in system arena; do
    for mark in free sparse drain peak; do
        rss=$(figure $allocator rss $mark)
        live=$(figure $allocator live $mark)
        frag=$(figure $allocator frag $mark)
        holds "$frag > 0 && $frag / ($rss / $live) - 1 < 1e-9 && \
            $frag / ($rss / $live) - 1 > -1e-9"
        [ "$(csv_count "$work/samples.csv" "allocator=$allocator" \
            metric=frag "at=mark:$mark")" -eq 2 ] || fail "$mark: not 2 runs"
    done
    holds "$(figure $allocator live free) / $live > 0.99"
    holds "$(figure $allocator live sparse) / $(figure $allocator live free) \
        < 0.11"
    [ -z "$(figure $allocator frag fill)" ] ||
        fail "a ratio to no live bytes: $(figure $allocator frag fill)"
done
holds "$(figure arena frag sparse) / $(figure arena frag free) > 9"

median=$(csv_tsv "$work/summary.csv" | awk -F '\t' '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["allocator"] == "arena" && $at["metric"] == "frag" &&
    $at["at"] == "mark:sparse" { print $at["median"] }')
holds "${median:-0} > 9"

# The theorem stands beside what was measured, in samples, summary and table.
figure_of_all()
{
    csv_pick "$work/samples.csv" value "allocator=$1" "metric=$2" at= |
        head -n 1
}

for allocator in system arena; do
    bound=$(figure_of_all $allocator blowup_bound)
    [ "$(figure_of_all $allocator blowup)" = "$(figure $allocator frag sparse)" ] ||
        fail "$allocator: blowup is $(figure_of_all $allocator blowup)"
    holds "$bound > 9.09 && $bound < 9.11"
    holds "$(figure_of_all $allocator blowup) > $bound"
done
csv_pick "$work/samples.csv" note metric=blowup_bound | grep -q 'mark sparse' ||
    fail "no note says what the bound is"
expect 0 "$HEAPYARD" report "$work"
expect_line "$work/out" 'allocator .* bound$'
expect_line "$work/out" '^arena .* 9\.10$'
expect_line "$work/out" '^blow-up '
expect 0 "$HEAPYARD" list random-free
expect_line "$work/out" '^bound: the least to be expected, at mark sparse'
