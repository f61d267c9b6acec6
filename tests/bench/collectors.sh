#!/bin/sh
# collectors.sh - our collector beside Boehm's: time, pauses, memory, marking.
#
# usage: collectors.sh
#
# Three workloads, with one and two threads, on gc and bdwgc, with one marker
# and with two: medians, and ours over Boehm's with a 95 % interval, of runs
# that are paired by block (heapyard stat).  GCBench does four times its work.
# Then marking: ns an object on binary-trees of depth 20, by the log of its
# collections, with one marker and with two; and a minor collection over a full
# one on quads.
#
# RUNS runs of each (10), MEMORY_RUNS of them for memory (3), SCALE times the
# work (1).  HEAPYARD_BUILD is the build folder.  The whole takes some 12
# minutes at scale 1 on 2 idle CPUs; what else runs there is in the figures.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
heapyard=${HEAPYARD_BUILD:-$here/build/release}/heapyard
runs=${RUNS:-10}
scale=${SCALE:-1}
work=$(mktemp -d "${TMPDIR:-/tmp}/collectors.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

multiply() { awk -v a="$1" -v b="$2" 'BEGIN { print a * b }'; }

# study NAME WORKLOAD SCALE
study()
{
    mkdir "$work/$1"
    "$heapyard" plan --workload "$2" --threads 1,2 --meters gc,memory \
        --allocators "bdwgc:markers=1,gc:markers=1,bdwgc:markers=2,gc:markers=2" \
        --runs "$runs" --memory-runs "${MEMORY_RUNS:-3}" --timeout 300 \
        --scale "$3" --out "$work/$1/plan.tsv"
    "$heapyard" run "$work/$1/plan.tsv" --out "$work/$1" >&2
    for markers in 1 2; do
        "$heapyard" stat --baseline bdwgc:markers=$markers \
            "$work/$1/samples.csv" | awk -F, -v markers=$markers -v name="$1" '
        function number(x) { return sprintf(x < 10 ? "%.2f" : "%.0f", x) }
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["allocator"] !~ ("^(gc|bdwgc):markers=" markers "$") { next }
        { unit = 0 }
        $at["meter"] == "gc" && $at["metric"] == "wall" { unit = 1e9 }
        $at["meter"] == "gc" && $at["metric"] == "pause_max" { unit = 1e6 }
        $at["metric"] == "rss_peak" && $at["at"] == "" { unit = 1048576 }
        !unit { next }
        {
            row = $at["threads"]
            key = row SUBSEP $at["metric"]
            if ($at["n"] == 0) { print "| " name ": " $at["note"] " |"; exit 1 }
            value[key, $at["allocator"] ~ /^gc/] = number($at["median"] / unit)
            if ($at["allocator"] ~ /^gc/)
                ratio[key] = sprintf("**%.2f** [%.2f, %.2f]", $at["ratio"],
                                     $at["ratio_lo"], $at["ratio_hi"])
        }
        END {
            n = split("wall pause_max rss_peak", metric, " ")
            for (t = 1; t <= 2; t++) {
                printf "| %s | %d | %d |", name, t, markers
                for (i = 1; i <= n; i++) {
                    key = t SUBSEP metric[i]
                    printf " %s / %s | %s |", value[key, 1], value[key, 0],
                           ratio[key]
                }
                print ""
            }
        }'
    done
}

# logged WORKLOAD KNOBS: the collections of a run, without the header.
logged()
{
    "$heapyard" replay --workload "$1" --allocator "gc$2" \
        --meter "gc:log=$work/log.csv" >/dev/null
    sed 1d "$work/log.csv"
}

median() { sort -n | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'; }

# marking MARKERS: ns an object, of each of RUNS runs.
marking()
{
    i=0
    while [ $i -lt "$runs" ]; do
        logged "binary-trees:depth=20" ":markers=$1" |
            awk -F, '{ ns += $5; n += $7 } END { print ns / n }'
        i=$((i + 1))
    done
}

echo "Ours / Boehm's, and the ratio with its 95 % interval; $runs runs."
echo
echo "| workload | threads | markers | seconds | ratio | longest pause, ms | ratio | peak RSS, MiB | ratio |"
echo "|---|---|---|---|---|---|---|---|---|"
study "binary-trees 18" binary-trees:depth=18 "$scale"
study "binary-trees 20" binary-trees:depth=20 "$scale"
study "GCBench" gcbench "$(multiply "$scale" 4)"
echo
one=$(marking 1 | median) two=$(marking 2 | median)
echo "Marking, ns an object: $one with one marker, $two with two: $(awk -v a="$one" -v b="$two" 'BEGIN { printf "%.2f", a / b }') times faster."
logged quads :generational=on:markers=1 >"$work/quads"
awk -F, '$14 == "minor" { print ($4 + $5 + $6) / 1e6 }' "$work/quads" | median >"$work/minor"
awk -F, '$14 == "full" { print ($4 + $5 + $6) / 1e6 }' "$work/quads" | median >"$work/full"
echo "quads, generational, median pause in ms: $(cat "$work/minor") minor, $(cat "$work/full") full."
