#!/bin/sh
# depot-model.sh - the pool's lock-free stacks hold under every order of steps.
#
# spin tries all of them on tests/model/depot.pml.  Without the tag it must
# find the ABA fault, so that the check can fail.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need spin
need "${CC:-cc}"

# check OPTION...: exit 0 if all runs are good; the model checker's words go to
# $work/said.
check()
{
    (cd "$work" && spin -a "$@" "$HEAPYARD_SOURCE/tests/model/depot.pml" &&
        "${CC:-cc}" -w -O1 -DSAFETY -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c) \
        >"$work/built" 2>&1 || fail "$(tail -n 5 "$work/built")"
    (cd "$work" && timeout 60 ./pan -m100000) >"$work/said" 2>&1 ||
        fail "the model checker: exit $?: $(tail -n 5 "$work/said")"
    ! grep -q 'max search depth too small\|out of memory' "$work/said" ||
        fail "not all runs were tried: $(cat "$work/said")"
    grep -q 'errors: 0' "$work/said"
}

for size in '-DTHREADS=3 -DROUNDS=1 -DMAGAZINES=2' '-DTHREADS=2 -DROUNDS=2'; do
    # shellcheck disable=SC2086 # options
    check $size || fail "$size: $(grep -E 'pan:|assert' "$work/said")"
    states=$(awk '/states, stored/ { print $1 }' "$work/said")
    [ "$states" -gt 100000 ] || fail "$size: only $states states"
    echo "$size: $states states, all good"
    # shellcheck disable=SC2086
    ! check $size -DNO_TAG || fail "$size: no fault is found without the tag"
    expect_line "$work/said" 'assertion violated'
done
