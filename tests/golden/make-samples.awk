# make-samples.awk - prints a samples.csv of MADE-UP data, for tests only.
#
# Nothing here was measured: the workload is called "golden-data", every note
# of a failure says "made up", and all numbers come from a seeded generator.
# They look like a real session: 8 allocators (one of which always crashes),
# 2 workloads, 10 blocks, drift from block to block, a few outliers.
#
# Whole numbers below 2^53 and no library functions: every awk prints the same
# bytes.  Generator: Park & Miller, "Random number generators: good ones are
# hard to find", CACM 31(10), 1988 (multiplier 16807).
#
# Usage: awk -f make-samples.awk > samples.csv
#
# SPDX-License-Identifier: Apache-2.0

function uniform()  # 0 < u < 1
{
    state = (state * 16807) % 2147483647
    return state / 2147483647
}

function normal(  i, sum)  # mean 0, deviation 1: the sum of 12 uniforms
{
    for (i = 0; i < 12; i++)
        sum += uniform()
    return sum - 6
}

function row(status, metric, at, unit, value, note)
{
    printf "golden-1,%d,%d,%s,%d,1,%d,%s,%s,%s,page,4096,%s,%s,%s,%s,%s,%s\n",
        run, block, workload, threads, 1000 + block, name, served[name],
        meter, status, metric, at, unit, value, note
}

function ok(metric, unit, value)
{
    row("ok", metric, "", unit, sprintf("%.10g", value), "")
}

function time_rows(  per_op, wall)
{
    if (name == "tcmalloc" && threads == 2 && block == 7) {
        row("timeout", "", "", "", "", "made up: no result after 60 s")
        return
    }
    per_op = speed[name] * (threads == 2 ? slow2[name] : 1) * drift
    per_op *= 1 + 0.012 * normal() + (uniform() < 0.06 ? 0.15 : 0)
    wall = int(per_op * ops)
    ok("wall", "ns", wall)
    ok("cpu", "ns", int(wall * threads * 0.985))
    ok("wall_per_op", "ns", int(per_op * 1000) / 1000)
    ok("cpu_per_op", "ns", int(per_op * threads * 985) / 1000)
    ok("ops", "1", ops)
    if (threads > 1)
        ok("wait", "ns", int(wall * (0.02 + 0.01 * uniform())))
    ok("minor_faults", "1", int(peak[name] * live / 4096 + 20 * uniform()))
    ok("involuntary_switches", "1", int(4 * uniform()))
}

# Live bytes at the time i of n: a ramp, a plateau with a bump, a fall.
function live_at(i, n)
{
    if (i < n * 0.3)
        return live * 0.8 * i / (n * 0.3)
    if (i < n * 0.7)
        return live * (0.8 + (i > n * 0.45 && i < n * 0.55 ? 0.2 : 0))
    return live * 0.8 * (1 - 0.9 * (i - n * 0.7) / (n * 0.3))
}

function memory_rows(  i, n, now, top, rss, seconds, keep, sum, lsum)
{
    n = 40
    keep = peak[name] * (1 + 0.006 * normal())
    seconds = speed[name] * drift * ops / 1e9
    for (i = 0; i <= n; i++) {
        now = live_at(i, n)
        lsum += now
        rss = now * keep
        if (rss > top)
            top = rss
        # What was touched comes back slowly, if at all.
        if (rss < top * retain[name])
            rss = top * retain[name]
        sum += rss
        row("ok", "rss", sprintf("%.6f", seconds * i / n), "bytes",
            4096 * int(rss / 4096), "")
        row("ok", "live", sprintf("%.6f", seconds * i / n), "bytes", int(now),
            "")
    }
    ok("rss_baseline", "bytes", 1048576)
    ok("rss_peak", "bytes", 4096 * int(top / 4096))
    ok("rss_mean", "bytes", int(sum / (n + 1)))
    ok("live_peak", "bytes", live)
    ok("live_mean", "bytes", int(lsum / (n + 1)))
    ok("frag_peak", "ratio", int(top / live * 10000) / 10000)
    ok("frag_mean", "ratio", int(sum / lsum * 10000) / 10000)
    ok("fidelity", "ratio", 1)
    row("ok", "rss", "mark:peak", "bytes", 4096 * int(top / 4096), "")
    row("ok", "live", "mark:peak", "bytes", live, "")
}

function leak_rows()
{
    ok("left_blocks", "1", 12)
    ok("left_bytes", "bytes", 4096)
    ok("leaked_bytes", "bytes", name == "tbbmalloc" ? 65536 : 0)
    ok("leaked_blocks", "1", name == "tbbmalloc" ? 2 : 0)
}

function latency_rows(  op, k, base)
{
    for (k = 1; k <= 2; k++) {
        op = k == 1 ? "malloc" : "free"
        base = (speed[name] + 12) * drift
        ok(op "_p50", "ns", int(base * (1 + 0.01 * normal())))
        ok(op "_p90", "ns", int(base * 1.6 * (1 + 0.01 * normal())))
        ok(op "_p99", "ns", int(base * 4 * (1 + 0.02 * normal())))
        ok(op "_p999", "ns", int(base * 30 * (1 + 0.05 * normal())))
        ok(op "_p9999", "ns", int(base * 180 * (1 + 0.1 * normal())))
        ok(op "_max", "ns", int(base * 4000 * (1 + uniform())))
    }
    ok("stamp_cost", "ns", 15)
}

function one_run()
{
    run++
    if (name == "broken")
        row("crash", "", "", "", "", "made up: killed by signal 11 (SIGSEGV)")
    else if (meter == "time")
        time_rows()
    else if (meter == "memory")
        memory_rows()
    else if (meter == "leak")
        leak_rows()
    else if (meter == "latency")
        latency_rows()
    else if (name == "null")
        row("skip", "", "", "", "", "made up: blocks of the floor overlap")
    else
        ok("checked_ops", "1", ops)
}

BEGIN {
    state = 20240229
    allocators = split("null system arena jemalloc mimalloc tcmalloc " \
        "tbbmalloc broken", arm, " ")
    meters = split("time memory leak latency check", kind, " ")
    split("2.1 21.5 4.6 15.2 12.9 15.4 24.8 1", number, " ")
    for (i in arm) speed[arm[i]] = number[i]
    split("1.05 1.32 1.04 1.1 1.08 1.21 1.29 1", number, " ")
    for (i in arm) slow2[arm[i]] = number[i]
    split("0.02 1.09 2.4 1.22 1.17 1.36 1.31 1", number, " ")
    for (i in arm) peak[arm[i]] = number[i]
    split("1 0.55 1 0.35 0.6 0.92 0.75 1", number, " ")
    for (i in arm) retain[arm[i]] = number[i]
    for (i in arm) served[arm[i]] = "made-up " arm[i] " 1.0"
    served["null"] = served["arena"] = ""
    print "session,run,block,workload,threads,scale,seed,allocator," \
        "served_by,meter,touch,window,status,metric,at,unit,value,note"
    for (block = 1; block <= 10; block++)
        for (w = 1; w <= 2; w++) {
            workload = "golden-data:shape=" (w == 1 ? "small" : "mixed")
            threads = w
            ops = w == 1 ? 10000000 : 8000000
            live = w == 1 ? 25165824 : 104857600
            for (m = 1; m <= meters; m++) {
                meter = kind[m]
                drift = 1 + 0.03 * normal()
                for (i = 0; i < allocators; i++) {
                    name = arm[1 + (3 * i + block) % allocators]
                    one_run()
                }
            }
        }
}
