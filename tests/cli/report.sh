#!/bin/sh
# report.sh - stat and report from outside: golden files, exit codes, charts,
# schemas, and that results/README.md names every metric of the code.
#
# The samples are made up by tests/golden/make-samples.awk.
#
# SPDX-License-Identifier: Apache-2.0
set -u

golden=$HEAPYARD_SOURCE/tests/golden
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# want CODE WORD... : the program with these words exits with CODE
want() {
    code=$1
    shift
    "$HEAPYARD" "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ $got -ne "$code" ]; then
        fail "heapyard $*: exit $got, want $code"
        cat "$work/err"
    fi
}

says() {
    grep -qF -e "$1" "$work/err" || {
        fail "message lacks '$1':"
        cat "$work/err"
    }
}

run=$work/run
mkdir "$run"
awk -f "$golden/make-samples.awk" >"$run/samples.csv" || exit 1
printf 'session,key,value\n' >"$run/environment.csv"
for fact in cpu=Example cpus=2 kernel=Linux libc=glibc heapyard=0 commit=abc \
    date=2026-01-31T00:00:00Z; do
    echo "golden-1,${fact%%=*},${fact#*=}" >>"$run/environment.csv"
done

# --- report before stat says what to do
want 2 report "$run"
says "make it with: heapyard stat $run/samples.csv -o $run/summary.csv"

# --- so does one of a version that had fewer columns
cut -d, -f1-16,18- "$golden/summary.csv" >"$run/summary.csv"
want 2 report "$run"
says "no column 'outliers' in the header"
says "make it with: heapyard stat $run/samples.csv -o $run/summary.csv"

# --- stat: the golden summary, to a file and to standard output
want 0 stat "$run/samples.csv" -o "$run/summary.csv"
cmp "$run/summary.csv" "$golden/summary.csv" || fail "summary.csv differs"
[ ! -e "$run/summary.csv.part" ] || fail "summary.csv.part was left"
want 0 stat "$run/samples.csv"
cmp "$work/out" "$golden/summary.csv" || fail "summary on stdout differs"
"$HEAPYARD" stat - <"$run/samples.csv" >"$work/out" || fail "stat -"
cmp "$work/out" "$golden/summary.csv" || fail "summary from stdin differs"

# --- another baseline changes ratios and no median
want 0 stat --baseline jemalloc "$run/samples.csv"
cut -d, -f1-17 "$work/out" | sort >"$work/a"
cut -d, -f1-17 "$golden/summary.csv" | sort >"$work/b"
cmp "$work/a" "$work/b" || fail "the baseline changed medians"
want 0 stat --baseline nosuch "$run/samples.csv"
says "no run of baseline 'nosuch'"

# --- report: the golden tables, from a folder and from a file
want 0 report --width 80 "$run"
cmp "$work/out" "$golden/table-80.txt" || fail "table of 80 columns differs"
want 0 report --width 120 "$run/summary.csv"
cmp "$work/out" "$golden/table-120.txt" || fail "table of 120 columns differs"

# --- colour only where asked
want 0 report --color always "$run"
grep -q "$(printf '\033')" "$work/out" || fail "no colour though asked"
want 0 report --color auto "$run"
grep -q "$(printf '\033')" "$work/out" && fail "colour in a pipe"

# --- bad input is exit 2 and names its place
want 2 stat
want 2 stat "$work/missing.csv"
says "$work/missing.csv: No such file or directory"
want 2 report --width 79 "$run"
says "width = '79' (want 80..1000)"
want 2 report --color maybe "$run"
want 2 report "$work/missing"
printf 'a,b\n1,2\n' >"$work/bad.csv"
want 2 stat "$work/bad.csv"
says "$work/bad.csv:1: no column 'session' in the header"
sed '5s/,ok,/,fine,/' "$run/samples.csv" >"$work/bad.csv"
want 2 stat "$work/bad.csv" -o "$work/none.csv"
says "$work/bad.csv:5: status = 'fine' (want ok, skip,"
[ ! -e "$work/none.csv" ] || fail "a summary of bad samples was left"
head -1 "$run/samples.csv" >"$work/empty.csv"
want 2 stat "$work/empty.csv"
says "no rows"

# --- a full disk is exit 3
if [ -w /dev/full ]; then
    "$HEAPYARD" stat "$run/samples.csv" >/dev/full 2>"$work/err"
    [ $? -eq 3 ] || fail "stat on a full disk: want exit 3"
    says "No space left on device"
    "$HEAPYARD" report "$run" >/dev/full 2>"$work/err"
    [ $? -eq 3 ] || fail "report on a full disk: want exit 3"
fi
want 3 stat "$run/samples.csv" -o "$work/no/such/folder/summary.csv"

# --- help shows examples
for verb in stat report; do
    want 0 $verb --help
    grep -q '^Examples:' "$work/out" || fail "$verb --help has no examples"
done

# --- charts: without gnuplot the data, with it the pictures
(PATH=/nonexistent "$HEAPYARD" report --charts "$work/data" "$run" \
    >/dev/null 2>"$work/err")
[ $? -eq 3 ] || fail "charts without gnuplot: want exit 3"
says "gnuplot-nox"
[ -s "$work/data/time.tsv" ] || fail "no data of the charts without gnuplot"
if command -v gnuplot >/dev/null; then
    # a name that gnuplot would take for a command to run
    (cd "$work" && want 0 report --charts '<echo charts' run)
    for chart in time peak-memory memory-curve time-memory latency-malloc \
        latency-free; do
        svg="$work/<echo charts/$chart.svg"
        [ -s "$svg" ] || fail "no $chart.svg"
        [ -s "${svg%.svg}.png" ] || fail "no $chart.png"
        [ -s "${svg%.svg}.tsv" ] || fail "no $chart.tsv"
        grep -qF 'Example, 2 CPUs, Linux, glibc; heapyard 0 (abc), 2026-01-31' \
            "$svg" || fail "$chart.svg lacks the machine"
        grep -q 'n = ' "$svg" || fail "$chart.svg lacks n"
        if command -v xmllint >/dev/null; then
            xmllint --noout "$svg" || fail "$chart.svg is not well-formed"
        fi
    done
else
    echo "gnuplot is not installed: no chart was drawn"
fi

# --- schemas name the columns of the files, in order
if command -v jq >/dev/null; then
    for name in samples summary; do
        schema=$HEAPYARD_SOURCE/results/$name.schema.json
        jq -r '[.fields[].name] | join(",")' "$schema" >"$work/a" ||
            fail "$schema is not JSON"
        head -1 "$run/$name.csv" | cmp - "$work/a" ||
            fail "$schema has other columns than $name.csv"
    done
fi

# --- every metric that the code writes is defined
grep -rhoE '(emit_value|outcome_add|add_ratio)\([a-z]+, "[a-z_0-9]+"' \
    "$HEAPYARD_SOURCE/harness" | sed 's/.*"\(.*\)"/\1/' | sort -u >"$work/a"
[ "$(wc -l <"$work/a")" -gt 15 ] || fail "found too few metrics in the code"
while read -r metric; do
    grep -q "\`$metric\`" "$HEAPYARD_SOURCE/results/README.md" ||
        fail "results/README.md does not define $metric"
done <"$work/a"

[ $failures -eq 0 ]
