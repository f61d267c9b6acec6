#!/bin/sh
# history.sh - `heapyard history`: summaries are taken in, changes are found.
#
# The data are made up by tests/golden/make-history.awk and make-samples.awk.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

golden=$HEAPYARD_SOURCE/tests/golden
cd "$work" || exit

# ---- append ----

mkdir run
cp "$golden/summary.csv" run/
printf 'session,key,value\ngolden-1,host,box\ngolden-1,cpu,"Chip, 3 GHz"\ngolden-1,cpus,2\n' \
    >run/environment.csv

expect 2 "$HEAPYARD" history append --file h.csv run/summary.csv
expect_line err 'run/environment.csv: no commit \(give it by --commit\)$'
expect 2 "$HEAPYARD" history append --file h.csv --commit a1 run/summary.csv
expect_line err "date = 'unknown' \\(give it by --date\\)$"
expect 0 "$HEAPYARD" history append --file h.csv --commit a1 \
    --date 2026-01-31 run/summary.csv
rows=$(awk -F, 'NR > 1 && $11 > 0' run/summary.csv | wc -l)
[ "$rows" -gt 100 ] || fail "the golden summary has $rows cells"
[ "$(csv_tsv h.csv | wc -l)" -eq $((rows + 1)) ] || fail "not a row a cell"
[ ! -e h.csv.part ] || fail "h.csv.part was left"
for column in median lo hi n; do
    csv_pick run/summary.csv $column allocator=jemalloc threads=2 \
        metric=wall_per_op >a
    csv_pick h.csv $column allocator=jemalloc threads=2 metric=wall_per_op \
        'machine=box: Chip, 3 GHz, 2 CPUs' commit=a1 date=2026-01-31 >b
    [ -s a ] || fail "no $column in the summary"
    cmp a b || fail "another $column than in the summary"
done

# commit and date of the environment
printf 'golden-1,commit,b2\ngolden-1,date,2026-02-01T10:00:00Z\n' \
    >>run/environment.csv
expect 0 "$HEAPYARD" history append --file h.csv run/summary.csv
[ "$(csv_pick h.csv date commit=b2 | sort -u)" = 2026-02-01T10:00:00Z ] ||
    fail "not the commit and date of the environment"

# what is refused leaves the file as it was
cp h.csv kept.csv
expect 2 "$HEAPYARD" history append --file h.csv run/summary.csv
expect_line err "run/summary.csv: commit = 'b2' has .* already, at h.csv:$((rows + 2)) "
expect 2 "$HEAPYARD" history append --file h.csv --commit c3 \
    --date 2026-01-30 run/summary.csv
expect_line err "date = '2026-01-30' is before '2026-02-01T10:00:00Z' of h.csv:$((rows + 2)) "
expect 2 "$HEAPYARD" history append --file h.csv --date 2026-02-30 \
    run/summary.csv
expect_line err "date = '2026-02-30' \\(want YYYY-MM-DD"
expect 2 "$HEAPYARD" history append --file h.csv run/missing.csv
expect_line err 'run/missing.csv: No such file'
expect 3 "$HEAPYARD" history append --file no/such/h.csv --commit d4 \
    run/summary.csv
cp run/summary.csv alone.csv
expect 2 "$HEAPYARD" history append --file h.csv --commit d4 alone.csv
expect_line err "environment.csv: no host and cpu of session 'golden-1'"
cmp h.csv kept.csv || fail "a refused append changed the file"

# a last line without its end is ended
printf '%s' "$(cat h.csv)" >cut.csv
expect 0 "$HEAPYARD" history append --file cut.csv --commit c3 \
    --date 2026-02-02 run/summary.csv
[ "$(csv_tsv cut.csv | wc -l)" -eq $((3 * rows + 1)) ] || fail "rows were lost"
{ head -n 1 h.csv | sed 's/$/,more/'; sed '1d; s/$/,x/' h.csv; } >wide.csv
expect 2 "$HEAPYARD" history append --file wide.csv --commit c3 \
    --date 2026-02-02 run/summary.csv
expect_line err 'wide.csv:1: another header'
expect 0 "$HEAPYARD" history show --file wide.csv

# ---- show ----

awk -f "$golden/make-history.awk" >made.csv
expect 0 "$HEAPYARD" history show --file made.csv
expect_line out '^made up 1: cpu, 2 CPUs$'
expect_line out 'wall_per_op of still: no change points in 60 points$'
expect_line out 'wall_per_op of steps: 2 change points in 60 points$'
expect_line out '^ +2026-01-21  c0021 +20\.0 -> 22\.. ns  \+1[123] %  p = 0\.00[0-9]+$'
expect_line out '^ +2026-02-13  c0041 +22\.. -> 20\.0 ns  -1[01] %  p = 0\.0'
expect_line out 'wall_per_op of late: 1 change point in 60 points$'
expect_line out '^ +2026-02-25  c0053 .* \+[45]\.. %  p = 0\.0'
[ "$(wc -l <out)" -eq 7 ] || fail "more lines than that: $(cat out)"
cp out whole
expect 0 "$HEAPYARD" history show --file made.csv
cmp out whole || fail "the same file is shown in another way"

# of few points nothing is said
expect 0 "$HEAPYARD" history show --file h.csv --metric wall_per_op \
    --allocator arena
expect_line out 'of arena: too few to look for changes: 2 points \(want 10\)$'
[ "$(grep -c 'wall_per_op of arena' out)" -eq 2 ] || fail "not the two of arena"
grep -qv 'of arena\|^box' out && fail "more than was asked for: $(cat out)"

# a workload is found by its name, whatever its knobs
expect 0 "$HEAPYARD" history show --file h.csv --workload golden-data
expect 2 "$HEAPYARD" history show --file h.csv --workload golden
expect_line err 'h.csv: no series of metric \(any\), workload golden, allocator'

# two machines are two series, whose points are not mixed
awk -v machines=2 -f "$golden/make-history.awk" >two.csv
expect 0 "$HEAPYARD" history show --file two.csv
[ "$(grep -c '^made up [12]: cpu, 2 CPUs$' out)" -eq 2 ] || fail "not 2 machines"
[ "$(grep -c 'of steps: 2 change points in 60 points$' out)" -eq 2 ] ||
    fail "the machines were mixed: $(cat out)"
expect 2 "$HEAPYARD" history show --file two.csv --allocator steps --svg x.svg
expect_line err "two machines, 'made up 1: cpu, 2 CPUs' and 'made up 2"
[ ! -e x.svg ] || fail "a chart of two machines was drawn"
expect 2 "$HEAPYARD" history show --file two.csv --svg x.svg
expect_line err 'svg with 6 series \(want 1 to 4'

# ---- bad files: FILE:LINE ----

# bad SED PATTERN
bad()
{
    sed "$1" made.csv >bad.csv
    expect 2 "$HEAPYARD" history show --file bad.csv
    expect_line err "^heapyard history show: bad.csv:$2"
    [ ! -s out ] || fail "$1: something was shown"
}
bad '5s/^2026-01-02,/2026-13-02,/' "5: date = '2026-13-02' \\(want YYYY"
bad '5s/^2026-01-02,/2026-01-2,/' "5: date = '2026-01-2' \\(want YYYY"
bad '5s/^2026-01-02,/2025-01-02,/' "5: date = '2025-01-02' is before '2026-01-01' of bad.csv:2 "
bad '5s/c0002/c0001/' "5: commit = 'c0001' has wall_per_op of still already, at bad.csv:2 "
bad '5s/c0002//' '5: commit is empty'
bad '5s/"made[^"]*"//' '5: machine is empty'
bad '5s/wall_per_op//' '5: metric is empty'
bad '5s/,10,[0-9.]*,/,10,nan,/' "5: median = 'nan' \\(want a decimal number"
bad '5s/,10,[0-9.]*,/,10,,/' "5: median = '' \\(want"
bad '5s/,10,[0-9.]*,/,10,1e9,/' '5: median outside lo .. hi'
bad '5s/,10,/,0,/' "5: n = '0' \\(want a whole number of 1 or more"
bad '5s/,ns,/,/' '5: 16 fields \(want 17'
bad '5s/.*/"/' '5: '
bad '1s/median/middle/' "1: no column 'median' in the header"
bad '1d' "1: no column 'date' in the header"
: >empty.csv
expect 2 "$HEAPYARD" history show --file empty.csv
expect_line err 'empty.csv:1: empty file'
expect 2 "$HEAPYARD" history show --file missing.csv
expect_line err 'missing.csv: No such file'

# ---- words ----

expect 2 "$HEAPYARD" history
expect 2 "$HEAPYARD" history prune
expect_line err 'no verb is called "prune" \(want append or show\)$'
expect 2 "$HEAPYARD" history show
expect 2 "$HEAPYARD" history show --file made.csv --svg made.pdf
expect_line err 'svg = made.pdf \(want a FILE.svg or FILE.png\)'
expect 2 "$HEAPYARD" history append --file h.csv
for verb in append show; do
    expect 0 "$HEAPYARD" history $verb --help
    expect_line out '^Examples?:$'
    awk 'length($0) > 80 && NF > 1 { exit 1 }' out ||
        fail "history $verb --help is wider than 80 columns"
done

# ---- the chart ----

code=0
PATH=/nonexistent "$HEAPYARD" history show --file made.csv --svg made.svg \
    >out 2>err || code=$?
[ $code -eq 3 ] || fail "without gnuplot: exit code $code (want 3)"
expect_line err 'gnuplot-nox'
[ -s made.tsv ] || fail "no data of the chart without gnuplot"
if command -v gnuplot >/dev/null; then
    expect 0 "$HEAPYARD" history show --file made.csv --svg made.svg
    [ ! -s err ] || fail "drawing says: $(cat err)"
    for text in 'made up 1: cpu, 2 CPUs' 'n = 60' 'of 10 runs each' \
        'wall_per_op (ns)' 'c0021 +12 %' 'date, one place a commit'; do
        grep -qF "$text" made.svg || fail "made.svg lacks '$text'"
    done
    expect 0 "$HEAPYARD" history show --file made.csv --svg made.png
    [ -s made.png ] || fail "no made.png"
    expect 0 "$HEAPYARD" history show --file h.csv --metric wall_per_op \
        --allocator arena --svg few.svg
    [ ! -s err ] || fail "drawing few points says: $(cat err)"
else
    echo "gnuplot is not installed: no chart was drawn"
fi
