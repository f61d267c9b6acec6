#!/bin/sh
# contract.sh - every allocator keeps its contract on every workload.
#
# The check meter plays each synthetic workload with one and two threads, at a
# small scale and with its rarer knobs, and each recorded trace, on every
# backend of ours, on some with knobs that make them another one, and on every
# known library that is installed.  Each run is ok, or is skipped for a reason
# that stands below.  So a new backend or workload is tested by being listed.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# allocator|reason: what may be skipped.
cat >"$work/may-skip" <<'END'
null|null: it hands out overlapping memory by design
END

"$HEAPYARD" list workloads >"$work/workloads"
"$HEAPYARD" list traces >"$work/traces"
"$HEAPYARD" list allocators | grep -v '; built without' >"$work/allocators"

# How many things stand in a list with commas.
count() { echo "$1" | tr ',' '\n' | grep -c .; }

# The first word of lines that begin with a name.
names()
{
    awk '/^  [a-z]/ && $1 != "or" { print $1 }' "$1"
}

# MIN and MAX of "threads MIN..MAX" under a workload's name.
threads_of()
{
    awk -v name="$1" '
    $1 == name { mine = 1; next }
    mine && $1 == "threads" {
        split($2, range, /\.\.|;/)
        print range[1], range[2]
        exit
    }' "$work/workloads"
}

# Installed libraries show a path, backends of ours a sentence.
own=$(names "$work/allocators" | grep -vxE 'jemalloc|mimalloc|tcmalloc|tbbmalloc')
foreign=$(awk '$1 ~ /^(jemalloc|mimalloc|tcmalloc|tbbmalloc)$/ &&
    $2 ~ /^\// { print $1 }' "$work/allocators")
[ "$(echo "$own" | wc -l)" -ge 3 ] || fail "own backends: $own"
if grep -qaE '__(asan|tsan)_init' "$HEAPYARD"; then
    foreign= # cannot be preloaded into a sanitized program
    # traces leave blocks, as the programs did
    ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
    export ASAN_OPTIONS
fi
# Its signals that stop a thread wait until the thread blocks, if ever.
if grep -qa '__tsan_init' "$HEAPYARD"; then
    own=$(echo "$own" | grep -vx gc)
fi
knobbed='slab:mesh=on slab:mode=hardened arena:mode=reserved
    buddy:kind=nonblocking
    buddy:kind=nonblocking:quick=0
    waste:of=slab:loops=3:every=2'
case $own in
*bdwgc*) knobbed="$knobbed bdwgc:free=explicit" ;;
esac
allocators=$(echo "$own" "$knobbed" "$foreign" | tr -s ' \n' ',' | sed 's/,$//')

# What a workload does rarely is done often here; one a line.
variants()
{
    case $1 in
    churn)
        echo "churn:objects=2000"
        echo "churn:objects=3000:min=1:max=64:cross=20"
        echo "churn:objects=40:ops=200000:max=1m:sizes=exponential:cross=50"
        ;;
    server-sim)
        echo "server-sim:heap=2m"
        echo "server-sim:heap=2m:profile=B:aligned=10:zeroed=50:leave=20"
        echo "server-sim:heap=1m:profile=C:cross=60:buffers=80:lifo=0"
        ;;
    random-free) echo "random-free:min=1:max=3000:freed=95:ops=2000000" ;;
    phase-change) echo "phase-change:size=9:ratio=7:phases=6:freed=70" ;;
    trees) echo "trees:depth=8:node=100" ;;
    handoff) echo "handoff:size=2000:batch=7:limit=3" ;;
    threadtest) echo "threadtest:objects=5000" ;;
    gcbench) echo "gcbench:depth=10:array=5000" ;;
    quads) echo "quads:depth=5:multiple=1000" ;;
    splay) echo "splay:size=200:depth=3" ;;
    gcold) echo "gcold:size=2:height=9:ratio=1:mutations=5000" ;;
    cache-server)
        echo "cache-server:cache=200k:keys=2000:sessions=50:shared=50"
        echo "cache-server:cache=4k:keys=50:puts=40:deletes=40:scans=20"
        ;;
    # the classics
    larson)
        echo "larson:slots=500:generation=2000"
        echo "larson:slots=100:generation=300:ops=400000:min=2:max=40k"
        ;;
    xmalloc-test) echo "xmalloc-test:size=1000:batch=50:limit=3" ;;
    cache-scratch) echo "cache-scratch:rounds=200000:writes=200" ;;
    cache-thrash) echo "cache-thrash:rounds=200000:writes=200:size=9" ;;
    sh6bench)
        echo "sh6bench:calls=500"
        echo "sh6bench:calls=3000:max=20000:repeats=200"
        ;;
    sh8bench) echo "sh8bench:slots=4000:steps=5000:handed=200000" ;;
    glibc-simple) echo "glibc-simple:allocations=100000" ;;
    glibc-thread) echo "glibc-thread:slots=50" ;;
    ephemerons) echo "ephemerons:links=5000" ;;
    finalizers)
        echo "finalizers:objects=5000"
        echo "finalizers" # enough to mark that the markers share it
        ;;
    *) echo "$1" ;;
    esac
}

# plan_of NAME WORKLOADS THREADS SCALE
plan_of()
{
    mkdir "$work/$1"
    expect 0 "$HEAPYARD" plan --workload "$2" --threads "$3" --scale "$4" \
        --meters check --allocators "$allocators" --timeout 120 \
        --out "$work/$1/plan.tsv"
    expect 0 "$HEAPYARD" run "$work/$1/plan.tsv" --out "$work/$1"
}

# judge NAME: all runs are there; each is ok or may be skipped.
judge()
{
    expect_every_run_once "$work/$1"
    csv_tsv "$work/$1/samples.csv" | awk -F '\t' -v allowed="$work/may-skip" '
    BEGIN {
        while ((getline line <allowed) > 0)
            may_skip[line] = 1
    }
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    # only collectors have what these are about
    $at["workload"] ~ /^(ephemerons|finalizers)/ && $at["status"] == "skip" &&
    $at["note"] ~ /has not got what the workload is about$/ { next }
    $at["status"] != "ok" &&
    !($at["status"] == "skip" && ($at["allocator"] "|" $at["note"]) in may_skip) {
        print $at["allocator"] " on " $at["workload"] ", " $at["threads"] \
            " threads: " $at["status"] ": " $at["note"]
        bad = 1
    }
    $at["metric"] == "checked_ops" && $at["value"] < 1000 {
        print $at["workload"] ": only " $at["value"] " operations"
        bad = 1
    }
    END { exit bad }' >"$work/bad" || fail "$1: $(cat "$work/bad")"
}

total=0
arms=0 # a workload's variant with a number of threads
for workload in $(names "$work/workloads"); do
    range=$(threads_of "$workload")
    min=${range% *} max=${range#* }
    [ -n "$range" ] || fail "no numbers of threads for $workload"
    threads=$min
    if [ "$min" -le 1 ] && [ "$max" -ge 2 ]; then
        threads=1,2
    fi
    list=$(variants "$workload" | paste -s -d , -)
    plan_of "$workload" "$list" "$threads" 0.005
    judge "$workload"
    case $workload in
    ephemerons | finalizers) ;; # not for every allocator
    *) arms=$((arms + $(variants "$workload" | wc -l) * $(count "$threads"))) ;;
    esac
    total=$((total + $(csv_runs "$work/$workload/samples.csv" status=ok)))
done

traces=$(names "$work/traces" | tr '\n' ',' | sed 's/,$//')
[ -n "$traces" ] || fail "no recorded traces: $(cat "$work/traces")"
plan_of recorded "$traces" 1 1
judge recorded
total=$((total + $(csv_runs "$work/recorded/samples.csv" status=ok)))

# The contract is worth nothing if nothing was held to it.
want=$((($(count "$allocators") - 1) * (arms + $(count "$traces"))))
[ $total -ge $want ] || fail "only $total runs are ok (want $want or more)"
echo "$total runs kept the contract, of: $allocators"
