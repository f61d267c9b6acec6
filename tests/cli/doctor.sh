#!/bin/sh
# doctor.sh - what is wrong with a machine is told before one measures on it.
#
# heapyard doctor has a line a check, with why and what to do unless it is ok;
# the exit code is 3 exactly if one is bad; bench names the bad ones first and
# is silent otherwise.  Machines are made up in folders (HEAPYARD_ROOT).
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# ---- this machine, whatever it is ----

code=0
HEAPYARD_ROOT='' "$HEAPYARD" doctor --out "$work/not/yet/there" >"$work/out" 2>"$work/err" ||
    code=$?
[ ! -s "$work/err" ] || fail "doctor: $(cat "$work/err")"
bad=$(grep -c '^bad ' "$work/out" || :)
if [ "$bad" -gt 0 ]; then
    [ $code -eq 3 ] || fail "$bad bad, exit code $code (want 3)"
    expect_line "$work/out" "$bad bad: figures taken now are worth little\$"
else
    [ $code -eq 0 ] || fail "nothing bad, exit code $code"
    expect_line "$work/out" ', 0 bad$'
fi
for check in governor turbo smt heat affinity quota clock counters load \
    'virtual machine' steal 'cpu pressure' 'memory pressure' 'disk pressure' \
    swap memory 'huge pages' aslr disk environment packages; do
    expect_line "$work/out" "^(ok  |note|bad )  $check +[^ ]"
done
told=$(grep -cE '^(note|bad)' "$work/out" || :)
[ "$(grep -cE '^ +why: ' "$work/out" || :)" -eq "$told" ] ||
    fail "a why for each note: $(cat "$work/out")"
[ ! -e "$work/not" ] || fail "doctor has made the folder of the results"

# ---- a sound machine ----

root=$work/machine
put() # PATH TEXT
{
    mkdir -p "$root/${1%/*}"
    printf '%s\n' "$2" >"$root/$1"
}
put proc/meminfo "MemTotal: 8388608 kB
MemAvailable: 8000000 kB"
put sys/devices/system/clocksource/clocksource0/current_clocksource tsc
put proc/sys/kernel/perf_event_paranoid 1
HEAPYARD_ROOT=$root
expect 0 "$HEAPYARD" doctor --out "$work"
expect_line "$work/out" '^ok +clock +tsc$'

small='--workload churn:objects=10:ops=1000 --allocators null,system --meters time --runs 2'
# shellcheck disable=SC2086 # words
expect 0 "$HEAPYARD" bench $small --out "$work/good"
grep 'heapyard doctor' "$work/err" && fail "bench warns on a sound machine"

# ---- one that is not ----

put sys/devices/system/clocksource/clocksource0/current_clocksource hpet
put proc/self/cgroup '0::/box'
put sys/fs/cgroup/box/cpu.max '20000 100000'
put sys/kernel/mm/transparent_hugepage/enabled '[always] madvise never'
expect 3 "$HEAPYARD" doctor --out "$work"
expect_line "$work/out" '^bad +quota +our control group may use 0\.2 CPUs$'
expect_line "$work/out" '^ +do:  echo madvise \| sudo tee '
expect_line "$work/out" '2 bad: figures taken now are worth little$'
# shellcheck disable=SC2086
expect 0 "$HEAPYARD" bench $small --out "$work/bad"
[ "$(grep -c '^heapyard bench: bad ' "$work/err")" -eq 2 ] ||
    fail "bench: want one line for each of two: $(cat "$work/err")"
expect_line "$work/err" '^heapyard bench: bad clock: hpet: .* \(see: heapyard doctor\)$'
grep -E 'always|huge' "$work/err" && fail "bench names what is only a note"

# LD_PRELOAD, on a sound machine; empty it does nothing.
expect 2 "$HEAPYARD" doctor --out
rm "$root/proc/self/cgroup"
put sys/devices/system/clocksource/clocksource0/current_clocksource tsc
expect 0 env LD_PRELOAD= "$HEAPYARD" doctor --out "$work"
expect_line "$work/out" '^ok +environment '
need_plain_program
expect 3 env LD_PRELOAD=libc.so.6 MALLOC_ARENA_MAX=1 "$HEAPYARD" doctor \
    --out "$work"
expect_line "$work/out" '^bad +environment +.*LD_PRELOAD'
expect_line "$work/out" '^ +do:  unset .*MALLOC_ARENA_MAX'
