#!/bin/sh
# fidelity.sh - a program and the replay of its trace are compared.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_plain_program # the replay has libraries preloaded
need hyperfine
need perl

cat >"$work/tiny.app" <<'END'
version: 1
summary: 40,000 live strings
source: tests/cli/fidelity.sh
packages: perl
needs: perl
program: perl
setup: echo 'my @a; push @a, "x" x (50 + $_ % 100) for 1 .. 40000; print scalar(@a), "\n"' >job.pl
command: perl job.pl
output: same
score: cpu
END
sed 's/^command: .*/command: sh job.sh/; s/^score: /preload: script\nscore: /
    s/^setup: .*/setup: echo perl -e print+1 >job.sh/' "$work/tiny.app" \
    >"$work/script.app"

expect 2 "$HEAPYARD" fidelity "$work/tiny.app" --allocators system
expect_line "$work/err" '^heapyard fidelity: --allocators = system \(want 2'
expect 2 "$HEAPYARD" fidelity "$work/tiny.app" --allocators system,own
expect_line "$work/err" '^heapyard fidelity: --allocators = own \(want'
expect 2 "$HEAPYARD" fidelity "$work/tiny.app" --runs 65
expect_line "$work/err" '^heapyard fidelity: --runs = 65 \(want 1..64\)'

expect 2 "$HEAPYARD" fidelity "$work/tiny.app" --out "$work/a,b"
expect_line "$work/err" '/a,b/traces/tiny\.hyt: a trace cannot lie there \(want'
[ ! -e "$work/a,b" ] || fail "a refused study has made its folder"

library=$(dirname "$HEAPYARD")/libheapyard-slab.so
expect 0 "$HEAPYARD" fidelity "$work/tiny.app" "$work/script.app" \
    --allocators "system,$library" --runs 2 --memory-runs 1 --out "$work/f"
expect_line "$work/out" '^tiny, 2 blocks$'
expect_line "$work/out" '^Too few blocks to tell allocators apart \(want 8 or'
expect_line "$work/out" '^Peak memory: [0-2] of 2 replays within 5 %'
rows=$work/f/fidelity.csv
[ "$(head -n 1 "$rows" | tr ',' '\n' | wc -l)" -eq 28 ] || fail "28 columns"
grep -o '"name": "[a-z_]*"' "$work/f/fidelity.schema.json" | sed 1d |
    cut -d '"' -f 4 >"$work/names"
head -n 1 "$rows" | tr ',' '\n' | cmp - "$work/names" ||
    fail "the schema has other columns"

for allocator in system "$library"; do
    for column in real_cpu replay_cpu malloc_cpu real_peak replay_peak \
        real_mean; do
        value=$(csv_pick "$rows" $column program=tiny allocator="$allocator")
        awk "BEGIN { exit !($value > 0) }" ||
            fail "$column of $allocator is \"$value\""
    done
    # The trace is all that the heap of the program holds.
    for side in real replay; do
        value=$(csv_pick "$rows" ${side}_peak program=tiny allocator="$allocator")
        awk "BEGIN { exit !($value > 4e6 && $value < 2e7) }" ||
            fail "$side peak of $allocator: $value"
    done
done
# What starts the program by itself is skipped, with a reason.
[ "$(csv_pick "$rows" status program=script | sort -u)" = skip ] ||
    fail "script is not skipped: $(cat "$rows")"
expect_line "$rows" '"its command starts the program itself, so'
[ -s "$work/f/traces/tiny.hyt" ] || fail "no trace is kept"
[ ! -e "$work/f/work" ] || fail "the folder of the program is left behind"
