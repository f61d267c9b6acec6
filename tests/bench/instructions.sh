#!/bin/sh
# instructions.sh - instructions of a warm malloc and free, side by side.
#
# usage: instructions.sh [SIZE...]        default: 24 1024 8192 65536
#
# Counts by single-stepping (tests/programs/count_steps.c; x86-64 only) in
# glibc, our own libraries of the build folder, the allocators that Debian
# packages, and whatever files stand in LIBRARIES.  Exact, so it holds on a
# noisy machine.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${HEAPYARD_BUILD:-$here/build/release}
work=$(mktemp -d "${TMPDIR:-/tmp}/instructions.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
${CC:-cc} -std=c17 -O2 -o "$work/count" "$here/tests/programs/count_steps.c"

# row NAME FILE SIZE...: one line, malloc/free for each size.
row() {
    name=$1 file=$2
    shift 2
    LD_PRELOAD=$file "$work/count" "$@" >"$work/out" || {
        code=$?
        echo "instructions: $name: cannot count (exit $code)" >&2
        return
    }
    awk -v name="$name" 'BEGIN { printf "%-16s", name }
        { printf " %12s", $2 "/" $3 } END { print "" }' "$work/out"
}

[ $# -gt 0 ] || set -- 24 1024 8192 65536
printf '%-16s' 'malloc/free'
printf ' %10s B' "$@"
echo
row glibc "" "$@"
for file in "$build"/libheapyard-*.so ${LIBRARIES:-}; do
    [ -f "$file" ] || continue
    case $file in
    *-record.so | *-gc.so) continue ;;
    esac
    row "$(basename "$file" .so | sed 's/^lib//')" "$file" "$@"
done
for name in jemalloc mimalloc tcmalloc_minimal tbbmalloc_proxy; do
    file=$(ldconfig -p 2>/dev/null | sed -n "s/.*=> \(.*lib$name\.so[.0-9]*\)$/\1/p" | head -n 1)
    [ -z "$file" ] || row "$name" "$file" "$@"
done
