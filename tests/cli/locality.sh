#!/bin/sh
# locality.sh - the use of what was built is told apart from the building.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

folder=$work/bench
expect 0 "$HEAPYARD" bench --threads 1,2 --runs 2 --allocators system,slab \
    --workload chase-list:nodes=2000:rounds=30,churn:objects=1000:ops=20000 \
    --meters time,memory --out "$folder"
expect_line "$work/out" 'use of what +time/use, +time: ratio'
expect_line "$work/out" 'was built +ns \[95 %\] +to system'
[ "$(grep -c 'use of what' "$work/out")" -eq 2 ] ||
    fail "a table of uses where there are none: $(cat "$work/out")"
grep -q 'chase-list' "$folder/charts/time-use.tsv" &&
    ! grep -q 'churn' "$folder/charts/time-use.tsv" ||
    fail "the chart of uses is not of what is used"
rows=$folder/samples.csv

# Each thread visits each node so many times; the phase is a part of the run.
csv_pick "$rows" value metric=uses threads=1 | sort -u >"$work/uses"
[ "$(cat "$work/uses")" = 60000 ] || fail "uses: $(cat "$work/uses")"
csv_pick "$rows" value metric=uses threads=2 | sort -u >"$work/uses"
[ "$(cat "$work/uses")" = 120000 ] || fail "uses: $(cat "$work/uses")"
[ "$(csv_count "$rows" metric=uses)" -eq 8 ] || fail "rows of uses"
csv_tsv "$rows" | awk -F '\t' '
NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
$at["meter"] == "time" { value[$at["run"], $at["metric"]] = $at["value"] }
$at["meter"] == "time" && $at["metric"] == "uses" { run[$at["run"]] = 1 }
END {
    for (r in run) {
        runs++
        if (value[r, "use_wall"] <= 0 || value[r, "use_wall"] >= value[r, "wall"] ||
            value[r, "use_cpu"] <= 0 || value[r, "use_cpu"] >= value[r, "cpu"])
            print "run " r ": a phase that is no part"
        each = value[r, "wall_per_use"] * value[r, "uses"] / value[r, "use_wall"]
        if (each < 0.999 || each > 1.001)
            print "run " r ": wall_per_use is not use_wall / uses"
    }
    if (runs != 8)
        print runs " runs"
}' >"$work/bad"
[ ! -s "$work/bad" ] || fail "$(cat "$work/bad")"

# --- on the simulated processor ---

"$HEAPYARD" replay --workload chase-list:nodes=10:rounds=1 --allocator system \
    --meter simulated:cache=off >"$work/out" 2>&1 || :
if ! command -v valgrind >/dev/null || is_sanitized ||
    grep -q 'built without' "$work/out"; then
    echo "not simulated: no valgrind here"
    exit 0
fi

# simulated KNOBS METRIC: of a list in an arena, node after node.
simulated()
{
    expect 0 "$HEAPYARD" replay --allocator arena --meter simulated \
        --workload "chase-list:nodes=20000:noise=0:freed=none:$1"
    awk -v metric="$2" '$1 == metric { print $3 }' "$work/out"
}

# between LOW VALUE HIGH
between()
{
    awk -v l="$1" -v v="$2" -v h="$3" 'BEGIN { exit !(v != "" && v >= l && v <= h) }' ||
        fail "$2 (want $1 to $3)"
}

# A step of the chase is a few instructions, whatever the building took.
between 3 "$(simulated node=64:rounds=2 sim_instructions_per_use)" 12
between 3 "$(simulated node=64:rounds=9 sim_instructions_per_use)" 12
# 20000 nodes are more than the first-level cache holds: a miss each where a
# node has a line, and one in four where a line has four nodes.
between 0.99 "$(simulated node=64:rounds=3 sim_d1_misses_per_use)" 1.01
between 0.24 "$(simulated node=16:rounds=3 sim_d1_misses_per_use)" 0.27
# All of them fit into the last level, from the building on.
between 0 "$(simulated node=64:rounds=3 sim_ll_misses_per_use)" 0.01
