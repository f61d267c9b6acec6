#!/bin/sh
# model.sh - the buddy system without a lock is right in every interleaving.
#
# spin runs tests/model/buddy.pml through all states of a tree of 7 nodes and
# 3 threads.  So that this means something, each fault that the model can be
# given must be found; one of them is the published scheme that ours departs
# from.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

command -v spin >/dev/null || skip "spin is not installed (Debian: spin)"
model=$HEAPYARD_SOURCE/tests/model/buddy.pml

# verify NAME OPTION...: run the model; its report is in NAME/report.
verify()
{
    name=$1
    shift
    mkdir "$work/$name"
    (
        cd "$work/$name" &&
            spin -a "$@" "$model" >report 2>&1 &&
            "${CC:-cc}" -O2 -w -DSAFETY -DCOLLAPSE -DNOFAIR -DMEMLIM=1500 \
                -o pan pan.c >>report 2>&1 &&
            ./pan -m100000 >report 2>&1
    ) || fail "$name: $(tail -n 5 "$work/$name/report")"
}

verify right
grep -q 'errors: 0' "$work/right/report" ||
    fail "the model is wrong: $(head -n 3 "$work/right/report")"
! grep -qE 'max search depth|out of memory|limit reached' \
    "$work/right/report" || fail "not all states: $(cat "$work/right/report")"
states=$(awk '/states, stored/ { print $1 }' "$work/right/report")
[ "$states" -gt 1000000 ] || fail "only $states states"

for fault in 1 2 3; do
    verify "fault$fault" -DFAULT=$fault
done
verify fault4 -DFAULT=4 -DNODES=15
for fault in 1 2 3 4; do
    grep -q 'assertion violated' "$work/fault$fault/report" ||
        fail "fault $fault is not found: $(cat "$work/fault$fault/report")"
done
grep -q 'assertion violated ((handed' "$work/fault4/report" ||
    fail "fault 4 is not an overlap: $(head -n 1 "$work/fault4/report")"
echo "$states states are right; 4 faults are found"
