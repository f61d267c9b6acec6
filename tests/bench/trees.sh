#!/bin/sh
# trees.sh - tree builds: the arena's inlined API beside every malloc here.
#
# usage: trees.sh [RUNS [DEPTH]]       (default 11 runs of depth 16)
#
# Prints the wall time of a node of 24 bytes (built, counted, freed;
# tests/bench/trees.c) in ns, and its ratio to the best malloc: medians over
# RUNS rounds with intervals of 95 % or more (order statistics, so RUNS is 6
# or more).  A round is one process of each, in shuffled order; the ratio is
# taken within rounds.
# Beside the arena: glibc, our own libraries of the build folder, what Debian
# packages, and whatever files stand in LIBRARIES.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${HEAPYARD_BUILD:-$here/build/release}
runs=${1:-11}
depth=${2:-16}
[ "$runs" -ge 6 ] || { echo "trees: RUNS = $runs (want 6 or more)" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/trees.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"${CC:-cc}" -std=c17 -O2 -D_POSIX_C_SOURCE=200809L -I "$here/allocators" \
    -o "$work/trees" "$here/tests/bench/trees.c" "$here/allocators/arena.c" \
    "$here/allocators/os_pages.c"

# NAME WHO FILE, one a line
{
    echo "floor floor"
    echo "arena arena"
    echo "glibc malloc"
    for file in "$build"/libheapyard-*.so ${LIBRARIES:-}; do
        case $file in
        *-record.so | *-gc.so | *'*'*) continue ;;
        esac
        [ -f "$file" ] || { echo "trees: $file: no such library" >&2; exit 2; }
        echo "$(basename "$file" .so | sed 's/^lib//') malloc $file"
    done
    for name in jemalloc mimalloc tcmalloc_minimal tbbmalloc_proxy; do
        file=$(ldconfig -p 2>/dev/null |
            sed -n "s/.*=> \(.*lib$name\.so[.0-9]*\)$/\1/p" | head -n 1)
        [ -z "$file" ] || echo "$name malloc $file"
    done
} >"$work/arms"

round=0
while [ "$round" -lt "$runs" ]; do
    round=$((round + 1))
    shuf "$work/arms" >"$work/order"
    while read -r name who file; do
        value=$(LD_PRELOAD=$file "$work/trees" "$who" "$depth") ||
            { echo "trees: $name failed" >&2; exit 1; }
        echo "$name $who $round $value"
    done <"$work/order"
done >"$work/values"

awk -v runs="$runs" '
function sorted(x, n,   i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && x[j] < x[j - 1]; j--) {
            t = x[j]; x[j] = x[j - 1]; x[j - 1] = t
        }
}
# The lowest rank of an interval for the median.
function rank(n,   k, p, sum) {
    p = 2 / 2 ^ n
    for (k = 1; sum + p <= 0.05; k++) {
        sum += p
        p *= (n - k + 1) / k
    }
    return k > 1 ? k - 1 : 1
}
function median(x, n) {
    return n % 2 ? x[(n + 1) / 2] : (x[n / 2] + x[n / 2 + 1]) / 2
}
function show(x, n) {
    return sprintf("%7.3f [%.3f, %.3f]", median(x, n), x[rank(n)],
                   x[n + 1 - rank(n)])
}
FNR == NR { order[++arms] = $1; who[$1] = $2; next }
{ value[$1, $3] = $4 }
END {
    for (a = 1; a <= arms; a++) {
        name = order[a]
        for (r = 1; r <= runs; r++)
            x[r] = value[name, r]
        sorted(x, runs)
        ns[name] = show(x, runs)
        if (who[name] == "malloc" && (best == "" || median(x, runs) < least)) {
            best = name
            least = median(x, runs)
        }
    }
    printf "%-18s %-24s ratio to %s\n", "", "ns a node", best
    for (a = 1; a <= arms; a++) {
        name = order[a]
        for (r = 1; r <= runs; r++)
            x[r] = value[name, r] / value[best, r]
        sorted(x, runs)
        printf "%-18s %-24s %s\n", name, ns[name], show(x, runs)
    }
}' "$work/arms" "$work/values"
