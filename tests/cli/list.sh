#!/bin/sh
# list.sh - `heapyard list` says of each workload what it follows, and how
# large it is.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# Each has a source, threads, and a size that was measured.
expect 0 "$HEAPYARD" list workloads
cp "$work/out" "$work/all"
awk '
function check() {
    if (name != "" && !(source && threads && size)) {
        print name ": no source, threads or size"
        bad = 1
    }
}
/^  [a-z]/ { check(); name = $1; source = threads = size = 0; n++ }
/^ +source: ./ { source = 1 }
/^ +threads [0-9]+\.\.[0-9]+; / { threads = 1 }
/ [0-9.]+ ?[kM]? (operations|allocations), [0-9.]+ [KM]iB (live|in memory), CPU [0-9.e+-]+ s$/ { size = 1 }
END { check(); exit bad || n < 10 }' "$work/all" ||
    fail "a workload without its size (run ci/workload-sizes)"
expect_line "$work/all" '^on gc where only collectors can \(.+\):$'

# What a workload is a model of, and what not, is said where results are read.
sed -n '/^## What each workload is a model of/,/^## samples/p' \
    "$HEAPYARD_SOURCE/results/README.md" >"$work/models"
for name in $(awk '/^  [a-z]/ { print $1 }' "$work/all"); do
    grep -q "^|.*\`$name\`[^|]*|[^|]*[a-z][^|]*|[^|]*[a-z][^|]*|\$" "$work/models" ||
        fail "results/README.md does not say what $name is a model of"
done

# A name with knobs is composed: what is listed is what is played.
expect 0 "$HEAPYARD" list churn:objects=500:ops=2000:max=100
expect_line "$work/out" '^version: [0-9]+$'
expect_line "$work/out" '^size: [0-9]+ operations, [0-9]+ bytes in 500 blocks live at most, mean block [0-9.]+ bytes$'
ops=$(sed -n 's/^size: \([0-9]*\) .*/\1/p' "$work/out")
peak=$(sed -n 's/^size: .* \([0-9]*\) bytes in.*/\1/p' "$work/out")
[ "$ops" -ge 3000 ] && [ "$ops" -le 3010 ] || fail "churn has $ops operations"
[ "$peak" -le 50000 ] || fail "churn has $peak bytes"
expect 0 "$HEAPYARD" replay --workload churn:objects=500:ops=2000:max=100 \
    --allocator null
expect_line "$work/out" "^ops$tab$tab""1$tab$ops\$"

# A program is not run.
expect 0 "$HEAPYARD" list quads
expect_line "$work/out" '^a program: .* allocations, .* in memory, CPU .* s$'

expect 2 "$HEAPYARD" list churn:objects=none
expect_line "$work/err" '^heapyard list: churn: objects = none \(want '
expect 2 "$HEAPYARD" list binary-trees:depth=99
expect_line "$work/err" '^heapyard list: binary-trees: depth = 99 \(want '
expect 2 "$HEAPYARD" list nothing:objects=1
expect_line "$work/err" '"nothing:objects=1" \(want workloads, traces'
