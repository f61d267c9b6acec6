#!/bin/sh
# noise.sh - each timed run says how much it was disturbed.
#
# steal and cpu_pressure stand once in every run of meters time and latency, in
# no other, where the kernel tells; clock_cost is a few clock readings long.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

expect 0 "$HEAPYARD" plan --workload churn:objects=100:ops=10000 --runs 2 \
    --memory-runs 1 --allocators null,arena --meters time,memory,latency \
    --out "$work/plan.tsv"
expect 0 "$HEAPYARD" run "$work/plan.tsv" --out "$work"
samples=$work/samples.csv

# expect_rows METRIC METER N: so many rows, none below 0.
expect_rows()
{
    csv_pick "$samples" value "metric=$1" "meter=$2" >"$work/values"
    [ "$(wc -l <"$work/values")" -eq "$3" ] ||
        fail "$1 of meter $2: $(wc -l <"$work/values") rows (want $3)"
    awk '!/^[0-9.e+]+$/ { exit 1 }' "$work/values" ||
        fail "$1 of meter $2: $(cat "$work/values")"
}

if awk '$1 == "cpu" { exit !(NF >= 9) }' /proc/stat; then
    expect_rows steal time 4
    expect_rows steal latency 4
    expect_rows steal memory 0
fi
if [ -r /proc/pressure/cpu ]; then
    expect_rows cpu_pressure time 4
    expect_rows cpu_pressure latency 4
    expect_rows cpu_pressure memory 0
fi
expect_rows clock_cost time 4
awk '$1 < 5 || $1 > 100000 { exit 1 }' "$work/values" ||
    fail "no clock is read in $(tr '\n' ' ' <"$work/values")ns"
