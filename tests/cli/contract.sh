#!/bin/sh
# contract.sh - every allocator keeps its contract on every workload.
#
# The check meter plays each synthetic workload with one and two threads, at a
# small scale and with its rarer knobs, and each recorded trace, on every
# backend of ours, on some with knobs that make them another one, and on every
# known library that is installed.  Each run is ok, or is skipped for a reason
# that stands below.  So a new backend or workload is tested by being listed.
# As many workloads are played at once as there are CPUs.
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
    }' "$work/../workloads"
}

# Installed libraries show a path, backends of ours a sentence.
own=$(names "$work/allocators" | grep -vxE 'jemalloc|mimalloc|tcmalloc|tbbmalloc')
foreign=$(awk '$1 ~ /^(jemalloc|mimalloc|tcmalloc|tbbmalloc)$/ &&
    $2 ~ /^\// { print $1 }' "$work/allocators")
[ "$(echo "$own" | wc -l)" -ge 3 ] || fail "own backends: $own"
sanitizer=$(grep -aoE '__(asan|tsan)_init' "$HEAPYARD" | head -n 1 || :)
if [ -n "$sanitizer" ]; then
    foreign= # cannot be preloaded into a sanitized program
    # traces leave blocks, as the programs did
    ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
    export ASAN_OPTIONS
fi
# Its signals that stop a thread wait until the thread blocks, if ever.
if [ "$sanitizer" = __tsan_init ]; then
    own=$(echo "$own" | grep -vx gc)
fi
knobbed='slab:mesh=on slab:mode=hardened arena:mode=reserved
    buddy:kind=nonblocking
    buddy:kind=nonblocking:quick=0
    waste:of=slab:loops=3:every=2'
case $own in
*bdwgc*) knobbed="$knobbed bdwgc:free=explicit" ;;
esac

# A sanitizer makes all this many times slower, so it sees each pair of a
# workload and a backend of ours once: with the most threads of those played
# here; of the variants the first under TSan, all under ASan; the first
# 100000 operations of recorded traces; and backends with knobs only on the
# workloads below, which free across threads, reuse and empty a heap.
KNOBS_PLAYED='churn|handoff|server-sim'
RECORDED_OPS=100000

# with_commas WORD...
with_commas() { echo "$@" | tr -s ' \n' ',' | sed 's/,$//'; }

# allocators_of WORKLOAD
allocators_of()
{
    if [ -n "$sanitizer" ] && ! echo "$1" | grep -qxE "$KNOBS_PLAYED"; then
        with_commas "$own"
    else
        with_commas "$own" "$knobbed" "$foreign"
    fi
}

# threads_played MIN MAX
threads_played()
{
    if [ "$1" -gt 1 ] || [ "$2" -lt 2 ]; then
        echo "$1"
    elif [ -n "$sanitizer" ]; then
        echo 2
    else
        echo 1,2
    fi
}

# What a workload does rarely is done often here; one a line.
all_variants()
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
    finalizers) echo "finalizers:objects=5000" ;;
    alloc-test) echo "alloc-test:slots=3000:picks=2000000" ;;
    mstress) echo "mstress:load=2:rounds=2000" ;;
    rptest) echo "rptest:slots=100:ops=60:min=1:max=5000:loops=4000" ;;
    mleak) echo "mleak:workers=5:places=30:rounds=42000" ;;
    malloc-large)
        echo "malloc-large:slots=5:min=1k:max=16k:blocks=80000"
        echo "malloc-large:slots=9:min=100:max=9k:blocks=110000:zeroed=calloc"
        ;;
    cfrac) echo "cfrac:kept=3000" ;;
    espresso) echo "espresso:waves=70" ;;
    barnes) echo "barnes:bodies=50:rounds=8000" ;;
    # adversaries
    robson-first-fit) echo "robson-first-fit:unit=48:header=16:largest=24k" ;;
    robson-best-fit) echo "robson-best-fit:live=16m:header=0" ;;
    hoard-worst) echo "hoard-worst:ratio=1.5:superblock=64k:largest=16k" ;;
    comb) echo "comb:tooth=80:gap=500" ;;
    peak-survivors) echo "peak-survivors:max=3000:stay=30:waves=2" ;;
    producer-consumer) echo "producer-consumer:live=64k:size=200" ;;
    realloc-ramp) echo "realloc-ramp:first=1:last=64k:growth=1:rounds=400" ;;
    fork-server) echo "fork-server:objects=2000:requests=2000:child=50" ;;
    thread-churn) echo "thread-churn:births=2000:bytes=64k:size=200" ;;
    # locality
    chase-list)
        echo "chase-list:nodes=5000"
        echo "chase-list:nodes=3000:linked=random:freed=none:noise=3"
        ;;
    chase-tree) echo "chase-tree:nodes=5000:freed=backward:node=40" ;;
    chase-hash) echo "chase-hash:nodes=5000:freed=forward:load=3" ;;
    layout)
        echo "layout:records=2000"
        echo "layout:layout=soa:records=2000:access=scattered"
        echo "layout:layout=aos:records=2000:fields=5"
        ;;
    false-sharing)
        echo "false-sharing:objects=2000:rounds=10000"
        echo "false-sharing:objects=1000:rounds=10000:align=128:by=self"
        ;;
    message-pipeline)
        echo "message-pipeline:pass=copy"
        echo "message-pipeline:pass=slice:parts=7:queue=2"
        echo "message-pipeline:pass=mremap:parts=1"
        echo "message-pipeline:pass=vmsplice:message=9k"
        ;;
    *) echo "$1" ;;
    esac
}

variants()
{
    case $sanitizer in
    __tsan_init) all_variants "$1" | head -n 1 ;;
    *) all_variants "$1" ;;
    esac
}

# plan_of NAME WORKLOADS THREADS SCALE
plan_of()
{
    mkdir "$work/$1"
    expect 0 "$HEAPYARD" plan --workload "$2" --threads "$3" --scale "$4" \
        --meters check --allocators "$(allocators_of "$1")" --timeout 120 \
        --out "$work/$1/plan.tsv"
    expect 0 "$HEAPYARD" run "$work/$1/plan.tsv" --out "$work/$1"
}

# judge NAME: all runs are there; each is ok or may be skipped.
judge()
{
    expect_every_run_once "$work/$1"
    csv_tsv "$work/$1/samples.csv" | awk -F '\t' \
        -v allowed="$work/../may-skip" '
    BEGIN {
        while ((getline line <allowed) > 0)
            may_skip[line] = 1
    }
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    # only collectors have what these are about
    $at["workload"] ~ /^(ephemerons|finalizers)/ && $at["status"] == "skip" &&
    $at["note"] ~ /has not got what the workload is about$/ { next }
    # its threads and locks are not in order after a fork
    $at["workload"] ~ /^fork-server/ && $at["allocator"] ~ /^bdwgc/ &&
    $at["status"] == "skip" &&
    $at["note"] ~ /has not got what the workload is about$/ { next }
    $at["status"] != "ok" &&
    !($at["status"] == "skip" && ($at["allocator"] "|" $at["note"]) in may_skip) {
        print $at["allocator"] " on " $at["workload"] ", " $at["threads"] \
            " threads: " $at["status"] ": " $at["note"]
        bad = 1
    }
    # a workload of few large blocks has few operations
    $at["metric"] == "checked_ops" && $at["value"] < 1000 &&
    $at["workload"] !~ /^layout:layout=(soa|aos)/ {
        print $at["workload"] ": only " $at["value"] " operations"
        bad = 1
    }
    END { exit bad }' >"$work/bad" || fail "$1: $(cat "$work/bad")"
}

# note NAME ARMS: how many runs are ok, and wanted: all but those of null.
note()
{
    echo "$(csv_runs "$work/$1/samples.csv" status=ok)" \
        $((($(count "$(allocators_of "$1")") - 1) * $2)) >>"$work/counts"
}

# contract_of WORKLOAD: play it and judge it.
contract_of()
{
    range=$(threads_of "$1")
    [ -n "$range" ] || fail "no numbers of threads for $1"
    # shellcheck disable=SC2086 # two numbers
    threads=$(threads_played $range)
    # A word on the stack of another thread may keep all the chain behind it,
    # and in the larger frames of a sanitizer one often does.
    case ${sanitizer:+$1} in
    ephemerons | finalizers) threads=1 ;;
    esac
    plan_of "$1" "$(variants "$1" | paste -s -d , -)" "$threads" 0.005
    judge "$1"
    case $1 in
    ephemerons | finalizers | fork-server) note "$1" 0 ;; # not for every allocator
    *) note "$1" $(($(variants "$1" | wc -l) * $(count "$threads"))) ;;
    esac
}

contract_of_traces()
{
    traces=$(names "$work/../traces")
    [ -n "$traces" ] || fail "no recorded traces: $(cat "$work/../traces")"
    if [ -n "$sanitizer" ]; then
        for trace in $traces; do
            expect 0 "$HEAPYARD" trace cut --to $RECORDED_OPS "$trace" \
                "$work/$trace.hyt"
        done
        traces=$(ls "$work"/*.hyt)
    fi
    traces=$(with_commas "$traces")
    plan_of recorded "$traces" 1 1
    judge recorded
    note recorded "$(count "$traces")"
}

# A lane takes what no other has taken, in a folder of its own; there are as
# many lanes as CPUs.  The recorded traces come first, which take longest.
lane()
{
    work=$work/lane$1
    mkdir "$work"
    for task in recorded $(names "$work/../workloads"); do
        mkdir "$work/../taken.$task" 2>/dev/null || continue
        case $task in
        recorded) contract_of_traces ;;
        *) contract_of "$task" ;;
        esac
    done
}

lanes=
for i in $(seq "$(nproc)"); do
    lane "$i" &
    lanes="$lanes $!"
done
bad=0
for pid in $lanes; do
    wait "$pid" || bad=1
done
[ $bad -eq 0 ] || fail "not every run kept the contract"

# The contract is worth nothing if nothing was held to it.
cat "$work"/lane*/counts |
    awk '{ ok += $1; want += $2 } END { print ok, want }' >"$work/sum"
read -r total want <"$work/sum"
[ "$total" -ge "$want" ] || fail "only $total runs are ok (want $want or more)"
echo "$total runs kept the contract, of:" $own $knobbed $foreign
