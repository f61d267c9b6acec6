#!/bin/sh
# replay-floor.sh - what the harness itself costs: the null allocator's time.
#
# usage: replay-floor.sh [RUNS]     (default 11)
#
# Prints, for traces of one and of more threads, the wall time of an operation
# in ns with no allocator behind it and nothing touched: median [min max] over
# RUNS processes.  HEAPYARD is the program (default: of the release build).
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
heapyard=${HEAPYARD:-$here/../../build/release/heapyard}
runs=${1:-11}

# measure TITLE ARGUMENT...
measure() {
    title=$1
    shift
    i=0
    while [ "$i" -lt "$runs" ]; do
        "$heapyard" replay --allocator null --touch none "$@" |
            awk '$1 == "wall_per_op" { print $3 }'
        i=$((i + 1))
    done | sort -g | awk -v title="$title" '
        { x[NR] = $1 }
        END {
            printf "%-40s %6.2f [%.2f %.2f]\n", title,
                   x[int((NR + 1) / 2)], x[1], x[NR]
        }'
}

printf '%-40s %s\n' "trace" "ns an operation: median [min max]"
measure "sqlite, recorded" --workload sqlite
measure "lua, recorded" --workload lua
measure "churn, 1 thread" --workload churn
measure "server-sim, 1 thread" --workload server-sim
measure "churn, 2 threads, 7 % cross frees" \
    --workload churn:cross=7 --threads 2
measure "churn, 2 threads, 42 % cross frees" \
    --workload churn:cross=42 --threads 2
measure "server-sim, 2 threads, 7 % cross frees" \
    --workload server-sim:cross=7 --threads 2
measure "server-sim, 2 threads, 42 % cross frees" \
    --workload server-sim:cross=42 --threads 2
measure "redis, recorded, 6 threads, 15 %" --workload redis
