#!/bin/sh
# latency.sh - the latency meter from the command line to the report.
#
# A bench with it, and with a pace, has the rows that results/README.md
# promises; counts add up; the longest calls are where the trace has them; a
# bad option is refused in one line.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$work" || exit

# ---- a bad option ----

for bad in pace=fast pace=-5 pace=1000000000 speed=3 pace; do
    expect 2 "$HEAPYARD" bench --workload churn --meters "latency:$bad" \
        --out "$work/bad"
    head -n 1 err | grep -q '^heapyard bench: latency' ||
        fail "latency:$bad: says $(cat err)"
    [ "$(wc -l <err)" -eq 1 ] || fail "latency:$bad: more than one line"
done
expect 2 "$HEAPYARD" bench --workload churn --meters latency:pace=1000000000 \
    --out "$work/bad"
grep -qF 'pace = 1000000000 (want 0..100000000 calls/s)' err ||
    fail "no range: $(cat err)"
expect 0 "$HEAPYARD" list latency
expect_line out '^    pace=N '

# ---- rows ----

expect 0 "$HEAPYARD" bench --workload churn:objects=20000 --allocators null,arena \
    --threads 1,2 --scale 0.01 --runs 2 --meters latency,latency:pace=300000 \
    --out "$work/run"
samples=$work/run/samples.csv
summary=$work/run/summary.csv
expect_every_run_once "$work/run"

# pick METER THREADS COLUMN FIELD=VALUE...: of arena's first run of them.
pick()
{
    meter=$1
    threads=$2
    column=$3
    shift 3
    csv_pick "$samples" "$column" allocator=arena block=1 "meter=$meter" \
        "threads=$threads" "$@"
}

# adds THREADS KIND PREFIX: values at PREFIX... add up to those of the run.
adds()
{
    all=$(pick latency "$1" value "metric=$2_count" at=)
    sum=$(csv_tsv "$samples" | awk -F '\t' -v threads="$1" -v metric="$2_count" \
        -v prefix="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["allocator"] == "arena" && $at["block"] == 1 &&
        $at["meter"] == "latency" && $at["threads"] == threads &&
        $at["metric"] == metric && index($at["at"], prefix) == 1 {
            sum += $at["value"] }
        END { print sum + 0 }')
    [ "${all:-0}" -gt 0 ] && [ "$all" = "$sum" ] ||
        fail "$2 of $1 threads by $3: $sum (want $all)"
}

for kind in malloc free; do
    adds 1 $kind size:
    adds 2 $kind size:
    adds 2 $kind thread:
    [ -z "$(pick latency 1 value "metric=${kind}_count" at=thread:0)" ] ||
        fail "values by thread with one thread"
done

# Some ten thousand calls of each kind: enough for p99.9, not for p99.99.
n=$(pick latency 1 value metric=malloc_count at=)
[ "$n" -ge 10000 ] && [ "$n" -lt 100000 ] || fail "$n calls: mend this test"
for p in p50 p90 p99 p999 max; do
    [ -n "$(pick latency 1 value "metric=malloc_$p" at=)" ] || fail "no malloc_$p"
done
for p in p9999 p99999; do
    [ -z "$(pick latency 1 value "metric=malloc_$p" at=)" ] ||
        fail "malloc_$p of $n calls"
done

[ "$(csv_count "$samples" allocator=arena block=1 meter=latency threads=1 \
    metric=worst)" -eq 16 ] || fail "not 16 longest calls"
! grep -q ',worst,' "$summary" || fail "single calls are in the summary"

# Only a pace gives responses.  A response holds the call, and more.
[ -z "$(pick latency 1 value metric=late)" ] || fail "late without a pace"
[ -n "$(pick latency:pace=300000 1 value metric=late)" ] || fail "no late"
pick latency:pace=300000 1 note metric=late | grep -q '300000 calls/s' ||
    fail "the note does not say the pace"
for p in p50 p90 p99 p999 max; do
    service=$(pick latency:pace=300000 1 value "metric=malloc_$p" at=)
    response=$(pick latency:pace=300000 1 value "metric=malloc_response_$p")
    awk "BEGIN { exit !($response * (1 + 1 / 64) >= $service) }" ||
        fail "malloc_$p: response $response, service $service"
done

# ---- the table and the charts ----

expect 0 "$HEAPYARD" report "$work/run"
expect_line out '^latency, '
expect_line out '^latency:pace=300000$'
expect_line out '^response, '

# ---- the longest calls are where the trace has them ----

trace=$HEAPYARD_SOURCE/workloads/traces/lua.hyt
[ -r "$trace" ] || skip "no $trace"
expect 0 "$HEAPYARD" replay --workload "$trace" --allocator arena \
    --meter latency
grep "^worst$tab" out >worst || fail "no longest calls"
while IFS=$tab read -r _ at _ _ note; do
    expect 0 "$HEAPYARD" trace dump --from "${at#op:}" --count 1 "$trace"
    # "   671687     0 resize  #267583    8192"; a free has no size
    tail -n 1 out | awk -v note="$note" -v at="${at#op:}" '
        { split(note, word, " ")
          kind["alloc"] = "malloc"; kind["zalloc"] = "calloc"
          kind["resize"] = "realloc"; kind["free"] = "free"
          if ($1 != at || kind[$3] != word[1]) exit 1
          if ($3 != "free" && $NF != word[3]) exit 1 }' ||
        fail "$at: $note, but the trace has $(tail -n 1 out)"
done <worst
