#!/bin/sh
# rules.sh - which malloc keeps which rule, side by side.
#
# usage: rules.sh [LIBRARY]...
#
# Tries the rules of tests/programs/malloc_rules.c on glibc, our own libraries
# of the build folder, the allocators that Debian packages, and the libraries
# that are named here or in LIBRARIES.  A row a rule, a column an allocator:
# "+" kept, "broken", "crashed" or "hung"; the last rows count what is kept.
# About 10 seconds for each.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${HEAPYARD_BUILD:-$here/build/release}
work=$(mktemp -d "${TMPDIR:-/tmp}/rules.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC3045 # dash, bash and busybox have it
ulimit -c 0
${CC:-cc} -std=c17 -O1 -fno-builtin -o "$work/rules" \
    "$here/tests/programs/malloc_rules.c" -lpthread

# column NAME FILE
column() {
    name=$(echo "$1" | tr ' ' _)
    if LD_PRELOAD=$2 "$work/rules" -v >"$work/verdicts" 2>"$work/err"; then
        sed "s|^|$name	|" "$work/verdicts" >>"$work/all"
    else
        echo "rules: $name: cannot run (exit $?): $(head -n 1 "$work/err")" >&2
    fi
}

column glibc ""
for file in "$build"/libheapyard-*.so; do
    case $file in
    *-record.so | *-gc.so | *'*'*) continue ;;
    esac
    column "$(basename "$file" .so | sed 's/^libheapyard-//')" "$file"
done
for name in jemalloc mimalloc tcmalloc_minimal tbbmalloc_proxy; do
    file=$(ldconfig -p 2>/dev/null | sed -n "s/.*=> \(.*lib$name\.so[.0-9]*\)$/\1/p" | head -n 1)
    [ -z "$file" ] || column "${name%_*}" "$file"
done
for file in ${LIBRARIES:-} "$@"; do
    [ -f "$file" ] || {
        echo "rules: no library $file" >&2
        exit 2
    }
    file=$(cd "$(dirname "$file")" && pwd)/$(basename "$file")
    column "$(basename "$file" | sed 's/^lib//; s/\.so.*//')" "$file"
done

awk -F '\t' '
    !($1 in seen) { seen[$1] = 1; arm[++arms] = $1 }
    !($2 in level) { level[$2] = $3; rule[++rules] = $2 }
    { verdict[$1, $2] = $4; kept[$1, $3] += $4 == "kept"; of[$3] += NR == FNR && $1 == arm[1] }
    function row(title, level, i) {
        printf "%-32s %-9s", title, level
    }
    END {
        row("", "")
        for (a = 1; a <= arms; a++)
            printf " %10s", arm[a]
        print ""
        for (i = 1; i <= rules; i++) {
            row(rule[i], level[rule[i]])
            for (a = 1; a <= arms; a++) {
                v = verdict[arm[a], rule[i]]
                printf " %10s", v == "kept" ? "+" : v
            }
            print ""
        }
        split("required quality", levels, " ")
        for (k = 1; k <= 2; k++) {
            row("kept, of " of[levels[k]], levels[k])
            for (a = 1; a <= arms; a++)
                printf " %10d", kept[arm[a], levels[k]]
            print ""
        }
    }' "$work/all"
