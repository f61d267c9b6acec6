#!/bin/sh
# pairs.sh - ns of an allocation and a free of 64 bytes, by allocator.
#
# usage: pairs.sh [LIBRARY...]
#
# Three loops of tests/bench/pairs.c: one thread; two threads at once, with
# their throughput over that of one; and a producer and a consumer with a ring
# of 4096 slots between them.  Rows: the floor (the loops with no allocator in
# them), the pool as a C library (allocators/pool.h, inlined), glibc, our own
# libraries of the build folder, the allocators that Debian packages, and each
# LIBRARY, preloaded.
#
# Every figure is the median of RUNS processes (15) and its 95 % interval, by
# the binomial distribution of ranks; below 6 runs, the extremes.  In each
# round every process runs once, in shuffled order; throughputs are compared
# within rounds.  A process plays PAIRS pairs in each thread (8000000; in the
# ring a quarter of it).  HEAPYARD_BUILD is the build folder.
#
# Exits 0; 1 if a process failed, and says which; 2 for a LIBRARY that is
# missing.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${HEAPYARD_BUILD:-$here/build/release}
runs=${RUNS:-15}
pairs=${PAIRS:-8000000}
work=$(mktemp -d "${TMPDIR:-/tmp}/pairs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"${CC:-cc}" -std=c17 -D_POSIX_C_SOURCE=200809L -O2 -I "$here/allocators" \
    -o "$work/pairs" "$here/tests/bench/pairs.c" "$here"/allocators/pool.c \
    "$here"/allocators/pool_[!b]*.c "$here/allocators/os_pages.c" -lpthread -ldl

# --- the rows: name, who, file ---

row() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$work/rows"
}

short_name() {
    basename "$1" | sed 's/^lib//; s/\.so.*//'
}

row floor floor ""
row "pool, inlined" pool ""
row glibc malloc ""
for file in "$build"/libheapyard-*.so; do
    case $file in
    *-record.so | *-gc.so | *'*'*) continue ;;
    esac
    row "$(short_name "$file")" malloc "$file"
done
for name in jemalloc mimalloc tcmalloc_minimal tbbmalloc_proxy; do
    file=$(ldconfig -p 2>/dev/null |
        sed -n "s/.*=> \(.*lib$name\.so[.0-9]*\)$/\1/p" | head -n 1)
    [ -z "$file" ] || row "$name" malloc "$file"
done
for file; do
    [ -r "$file" ] || {
        echo "pairs: $file: no such library" >&2
        exit 2
    }
    case $file in
    */*) ;;
    *) file=./$file ;;
    esac
    row "$(short_name "$file")" malloc "$file"
done

# --- the runs ---

libc=$(ldd "$work/pairs" | awk '$1 ~ /^libc\.so/ { print $3 }')

# measure ROUND NAME WHO HOW FILE
measure() {
    n=$pairs
    [ "$4" != ring ] || n=$((pairs / 4))
    proof=
    [ "$3" != malloc ] || proof=${5:-$libc}
    code=0
    # shellcheck disable=SC2086 # no word where there is nothing to prove
    ns=$(LD_PRELOAD=$5 "$work/pairs" "$3" "$4" "$n" ${proof:+"$proof"}) ||
        code=$?
    if [ "$code" -eq 0 ]; then
        printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$4" "$ns" >>"$work/samples"
    else
        echo "pairs: $2, $4: exit code $code" >&2
        failed=1
    fi
}

failed=0
round=1
while [ "$round" -le "$runs" ]; do
    for how in one two ring; do
        sed "s/\$/\t$how/" "$work/rows"
    done | shuf >"$work/round"
    # A tab is white space to read, so an empty file would be skipped.
    sed 's/\t\t/\t-\t/' "$work/round" >"$work/order"
    while IFS='	' read -r name who file how; do
        [ "$file" != - ] || file=
        measure "$round" "$name" "$who" "$how" "$file" </dev/null
    done <"$work/order"
    round=$((round + 1))
done

# --- the table ---

touch "$work/samples"
awk -F '\t' -v runs="$runs" '
# The rank from either end at which an interval of 95 % begins.
function rank(n,   k, below, term) {
    if (n < 6)
        return 1
    term = below = 2 ^ -n
    for (k = 1; 2 * (below + term * (n - k + 1) / k) <= 0.05; k++) {
        term *= (n - k + 1) / k
        below += term
    }
    return k
}
function cell(x, n, digits,   i, j, t, k, form) {
    if (!n)
        return "failed"
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && x[j] < x[j - 1]; j--) {
            t = x[j]; x[j] = x[j - 1]; x[j - 1] = t
        }
    k = rank(n)
    t = n % 2 ? x[(n + 1) / 2] : (x[n / 2] + x[n / 2 + 1]) / 2
    form = "%." digits "f [%." digits "f, %." digits "f]"
    return sprintf(form, t, x[k], x[n + 1 - k])
}
function column(name, how,   x, n, round) {
    n = 0
    for (round = 1; round <= runs; round++)
        if ((name, how, round) in ns)
            x[++n] = ns[name, how, round]
    return cell(x, n, 1)
}
function gain(name,   x, n, round) {
    n = 0
    for (round = 1; round <= runs; round++)
        if ((name, "one", round) in ns && (name, "two", round) in ns)
            x[++n] = 2 * ns[name, "one", round] / ns[name, "two", round]
    return cell(x, n, 2)
}
FILENAME ~ /rows$/ { order[++rows] = $1; next }
{ ns[$2, $3, $1] = $4 }
END {
    printf "%-18s %-21s %-21s %-21s %s\n", "64 bytes, ns a pair", "1 thread",
        "2 threads", "throughput 2 : 1", "producer to consumer"
    for (i = 1; i <= rows; i++)
        printf "%-19s %-21s %-21s %-21s %s\n", order[i],
            column(order[i], "one"), column(order[i], "two"), gain(order[i]),
            column(order[i], "ring")
}' "$work/rows" "$work/samples"
exit "$failed"
