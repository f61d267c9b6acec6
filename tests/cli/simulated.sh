#!/bin/sh
# simulated.sh - meter simulated counts the replay and nothing else, and the
# same each time; whatever keeps it from counting is a row that says so.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_plain_program
need valgrind
"$HEAPYARD" replay --workload churn:objects=10:ops=10 \
    --meter simulated:cache=off >"$work/out" 2>&1 || :
if grep -q 'built without' "$work/out"; then
    skip "built without valgrind's header"
fi

# bench FOLDER METER ALLOCATORS WORKLOAD [OPTION...]: rows in FOLDER.
bench()
{
    folder=$work/$1 meters=$2 allocators=$3 workload=$4
    shift 4
    "$HEAPYARD" bench --workload "$workload" --allocators "$allocators" \
        --meters "$meters" --runs 1 --out "$folder" "$@" \
        >"$work/out" 2>"$work/err" || : # the rows say how it went
}

# counts FOLDER ALLOCATOR: metric and value of each row that is ok.
counts()
{
    csv_tsv "$work/$1/samples.csv" | awk -F '\t' -v who="$2" '
        $8 == who && $13 == "ok" { print $14, $17 }'
}

# value FOLDER ALLOCATOR METRIC
value()
{
    counts "$1" "$2" | sed -n "s/^$3 //p"
}

small=churn:objects=500:ops=20000
double=churn:objects=500:ops=40000

# --- the same each time, whatever the environment and the names of files ---

quiet=slab:decay=1000000000
bench once simulated "null,system,$quiet" "$small"
(
    SOMETHING=$(seq 1 300)
    export SOMETHING
    bench again-under-a-longer-name simulated "null,system,$quiet" "$small"
)
for who in null system "$quiet"; do
    counts once "$who" >"$work/first"
    counts again-under-a-longer-name "$who" >"$work/second"
    cmp -s "$work/first" "$work/second" ||
        fail "$who: two runs differ: $(diff "$work/first" "$work/second")"
    for metric in instructions instructions_per_op branches branch_misses \
        i1_misses d1_misses ll_misses; do
        expect_line "$work/first" "^sim_$metric [0-9.]+\$"
    done
done
csv_pick "$work/once/samples.csv" note allocator=system \
    metric=sim_instructions >"$work/note"
expect_line "$work/note" "^simulated by callgrind [0-9.]+: I1 32 KiB 8-way, \
D1 32 KiB 8-way, LL 8 MiB 16-way, 64-byte lines; null's row is the harness's"

# --- only the replay is counted ---

per_op=$(value once null sim_instructions_per_op)
awk -v x="$per_op" 'BEGIN { exit !(x > 5 && x < 200) }' ||
    fail "null: $per_op instructions an operation (want 5..200)"
bench double simulated:cache=off system "$double"
awk -v one="$(value once system sim_instructions)" \
    -v two="$(value double system sim_instructions)" \
    'BEGIN { exit !(two > 1.8 * one && two < 2.2 * one) }' ||
    fail "twice the operations: $(value once system sim_instructions) and \
$(value double system sim_instructions) instructions"

# --- without caches: the same, and no rows of caches ---

bench fast simulated:cache=off system "$small"
for metric in sim_instructions sim_branches sim_branch_misses trace_hash; do
    [ "$(value once system $metric)" = "$(value fast system $metric)" ] ||
        fail "$metric: $(value once system $metric) with caches," \
            "$(value fast system $metric) without"
done
if counts fast system | grep -E '_(i1|d1|ll)_'; then
    fail "misses of caches that were not simulated"
fi

# --- a preloaded library is the one that is counted ---

count=$HEAPYARD_FAULTY/libfaulty-count.so
if [ -r "$count" ]; then
    bench preloaded simulated:cache=off "$count" "$small"
    served=$(csv_pick "$work/preloaded/samples.csv" served_by \
        metric=sim_instructions)
    case $served in
    libfaulty-count.so*) ;;
    *) fail "served by \"$served\" (want libfaulty-count.so): $(cat \
        "$work/preloaded/samples.csv")" ;;
    esac
fi

# --- what cannot be counted ---

# expect_row FOLDER STATUS NOTE
expect_row()
{
    csv_tsv "$work/$1/samples.csv" | awk -F '\t' 'NR > 1 { print $13 "|" $18 }' \
        >"$work/row"
    expect_line "$work/row" "^$2\|$3"
}

mkdir "$work/bin"
for program in env sh git cat; do # what is in PATH, but no valgrind
    ln -s "$(command -v $program)" "$work/bin/$program"
done
(
    PATH=$work/bin
    bench none simulated system "$small"
)
expect_row none skip 'needs valgrind \(package valgrind\)$'

bench threads simulated system "$small" --threads 2
expect_row threads skip 'system: counts of several threads differ'

bench late simulated system churn:ops=3000000 --timeout 2
expect_row late timeout 'no result within 2 s;'
expect_nothing_left "a run that was stopped"

expect 2 "$HEAPYARD" bench --workload "$small" --meters simulated:cache=no
expect_line "$work/err" 'option cache=no \(want cache=on or cache=off\)'
