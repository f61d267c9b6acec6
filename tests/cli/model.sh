#!/bin/sh
# model.sh - the lock-free parts are right in every interleaving.
#
# spin runs each model of tests/model through all its states.  So that this
# means something, every fault that a model can be given must be found.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need spin
need "${CC:-cc}"
n=0

# verify MODEL OPTION...: run it; its report is in $work/report.
verify()
{
    model=$HEAPYARD_SOURCE/tests/model/$1.pml
    shift
    n=$((n + 1))
    mkdir "$work/$n"
    (
        cd "$work/$n" &&
            spin -a "$@" "$model" >report 2>&1 &&
            "${CC:-cc}" -O1 -w -DSAFETY -DCOLLAPSE -DNOFAIR -DMEMLIM=1500 \
                -o pan pan.c >>report 2>&1 &&
            timeout 100 ./pan -m100000 >report 2>&1
    ) || fail "$model $*: $(tail -n 5 "$work/$n/report")"
    cp "$work/$n/report" "$work/report"
    rm -r "${work:?}/$n"
}

# right LEAST MODEL OPTION...: no fault, in at least that many states.
right()
{
    least=$1
    shift
    verify "$@"
    grep -q 'errors: 0' "$work/report" ||
        fail "$*: $(grep 'pan:1:' "$work/report")"
    ! grep -qE 'max search depth|out of memory|limit reached' "$work/report" ||
        fail "$*: not all states: $(cat "$work/report")"
    states=$(awk '/states, stored/ { print $1 }' "$work/report")
    [ "$states" -ge "$least" ] || fail "$*: only $states states"
    echo "$*: right in all $states states"
}

# wrong WHAT MODEL OPTION...: that is found.
wrong()
{
    what=$1
    shift
    verify "$@"
    grep -q "pan:1: $what" "$work/report" ||
        fail "$*: the fault is not found: $(cat "$work/report")"
}

right 1000000 buddy
for fault in 1 2 3; do
    wrong 'assertion violated' buddy -DFAULT=$fault
done
# two blocks that overlap
wrong 'assertion violated ((handed' buddy -DFAULT=4 -DNODES=15

right 100000 depot -DTHREADS=3 -DROUNDS=1 -DMAGAZINES=2
right 100000 depot -DTHREADS=2 -DROUNDS=2
wrong 'assertion violated' depot -DTHREADS=3 -DROUNDS=1 -DMAGAZINES=2 -DNO_TAG
wrong 'assertion violated' depot -DTHREADS=2 -DROUNDS=2 -DNO_TAG

right 5000 slab
wrong 'invalid end state' slab -DFAULT=1 # a page is lost
wrong 'invalid end state' slab -DFAULT=2
wrong 'assertion violated' slab -DFAULT=3
