#!/bin/sh
# compaction.sh - what heaps hold after most was freed, side by side.
#
# usage: compaction.sh [-n RUNS] [-w WORKLOAD] [LIBRARY | BACKEND:KNOBS]...
#
#   -n RUNS          processes a heap (default 7)
#   -w WORKLOAD      thin or phases (default: both); compaction.c tells of them
#   LIBRARY          one more library that serves malloc
#   BACKEND:KNOBS    our library of that backend, with HEAPYARD_KNOBS=KNOBS
#
# Heaps are: glibc, our own libraries of the build folder, the allocators that
# Debian packages, those that are named, and allocators/handles.h (by itself,
# and with idle milliseconds used for compaction).  Each round runs all of
# them once, in another order.  Shown are medians with their 95 % intervals
# (by ranks; below 6 runs the extremes): memory after settling over live bytes,
# peak memory in MiB, CPU time in ms.  LIBRARIES is as in instructions.sh.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${HEAPYARD_BUILD:-$here/build/release}
runs=7 workloads='thin phases'

die() {
    echo "compaction: $*" >&2
    exit 2
}

while getopts n:w: option; do
    case $option in
    n) runs=$OPTARG ;;
    w) workloads=$OPTARG ;;
    *) die "usage: compaction.sh [-n RUNS] [-w WORKLOAD] [LIBRARY | BACKEND:KNOBS]..." ;;
    esac
done
shift $((OPTIND - 1))
case $runs in
'' | *[!0-9]* | 0) die "-n $runs (want a number of runs, 1 or more)" ;;
esac
for workload in $workloads; do
    case $workload in
    thin | phases) ;;
    *) die "-w $workload (want thin or phases)" ;;
    esac
done

work=$(mktemp -d "${TMPDIR:-/tmp}/compaction.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
${CC:-cc} -std=c17 -O2 -D_POSIX_C_SOURCE=200809L -I "$here/allocators" \
    -o "$work/compaction" "$here/tests/bench/compaction.c" \
    "$here/allocators/handles.c" "$here/allocators/os_pages.c" -lpthread

# arm NAME KIND FILE KNOBS: a line of arms, tabs between; - for none.  Where
# two libraries have one name, the file's path is the second one's.
arm() {
    name=$(echo "$1" | tr ' ' _)
    if cut -f 1 "$work/arms" | grep -qxF -- "$name"; then
        name=$(echo "$3" | tr ' ' _)
    fi
    printf '%s\t%s\t%s\t%s\n' "$name" "$2" "$3" "$4" >>"$work/arms"
}
: >"$work/arms"

arm glibc malloc - -
for file in "$build"/libheapyard-*.so; do
    case $file in
    *-record.so | *-gc.so | *'*'*) continue ;;
    esac
    arm "$(basename "$file" .so | sed 's/^libheapyard-//')" malloc "$file" -
done
for name in jemalloc mimalloc tcmalloc_minimal tbbmalloc_proxy; do
    file=$(ldconfig -p 2>/dev/null | sed -n "s/.*=> \(.*lib$name\.so[.0-9]*\)$/\1/p" | head -n 1)
    [ -z "$file" ] || arm "$name" malloc "$file" -
done
for arm in ${LIBRARIES:-} "$@"; do
    file=$build/libheapyard-${arm%%:*}.so
    if [ -f "$arm" ]; then
        file=$(cd "$(dirname "$arm")" && pwd)/$(basename "$arm")
        arm "$(basename "$file" | sed 's/^lib//; s/\.so.*//')" malloc "$file" -
    elif [ "$arm" != "${arm#*:}" ] && [ -f "$file" ]; then
        arm "$arm" malloc "$file" "${arm#*:}"
    else
        die "'$arm' is neither a library nor BACKEND:KNOBS of one in $build"
    fi
done
arm handles handles - -
arm handles-idle handles-idle - -

run_arm() {
    workload=$1 name=$2 heap=$3 file=$4 knobs=$5
    set -- "$work/compaction" "$workload" "$heap"
    [ "$knobs" = - ] || set -- "HEAPYARD_KNOBS=$knobs" "$@"
    [ "$file" = - ] || set -- "LD_PRELOAD=$file" "$@"
    if env "$@" >"$work/out" 2>"$work/err"; then
        printf '%s\t%s\n' "$name" "$(cat "$work/out")" >>"$work/rows"
    else
        echo "compaction: $name: exit $?: $(head -n 1 "$work/err")" >&2
    fi
}

table() {
    awk -v order="$work/arms" -v OFS='\t' '
    function sorted(name, column, i, j, n, v) { # into x[1..n]
        n = rows[name]
        for (i = 1; i <= n; i++) {
            v = value[name, i, column]
            for (j = i - 1; j >= 1 && x[j] > v; j--)
                x[j + 1] = x[j]
            x[j + 1] = v
        }
        return n
    }
    function estimate(name, column, format, n, low) {
        n = sorted(name, column)
        low = int(n / 2 - 0.98 * sqrt(n)) # rank of the interval, its end
        if (n < 6 || low < 1)
            low = 1
        return sprintf(format " [" format ", " format "]",
            (x[int((n + 1) / 2)] + x[int(n / 2) + 1]) / 2, x[low], x[n + 1 - low])
    }
    BEGIN { FS = "[\t ]" }
    {
        rows[$1]++
        for (i = 2; i <= NF; i++)
            value[$1, rows[$1], i - 1] = $i + 0
    }
    END {
        printf "%-22s %-22s %-22s %s\n", "", "memory/live", "peak MiB", "CPU ms"
        while ((getline line <order) > 0) {
            split(line, part, "\t")
            name = part[1]
            if (rows[name])
                printf "%-22s %-22s %-22s %s\n", name,
                    estimate(name, 1, "%.2f"), estimate(name, 3, "%.0f"),
                    estimate(name, 5, "%.0f")
        }
    }' "$work/rows"
}

for workload in $workloads; do
    : >"$work/rows"
    round=0
    while [ "$round" -lt "$runs" ]; do
        round=$((round + 1))
        awk -v seed="$round" 'BEGIN { srand(seed) }
            { print rand() "\t" $0 }' "$work/arms" | sort -g | cut -f 2- \
            >"$work/shuffled"
        while IFS="$(printf '\t')" read -r name heap file knobs; do
            run_arm "$workload" "$name" "$heap" "$file" "$knobs"
        done <"$work/shuffled"
    done
    echo "$workload, $runs runs"
    table
    echo
done
