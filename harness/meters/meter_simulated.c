/* meter_simulated.c - instructions, branches and cache misses of the replay,
 * counted by callgrind.
 *
 * The replay runs on valgrind's simulated processor (simulate.c), which counts
 * from start to stop and nowhere else.  No clock and no other program is in
 * the counts, so one allocator can be compared with itself exactly.
 *
 * Where a native workload begins and ends to use what it has built, the counts
 * are dumped, which begins them anew and leaves the caches as they are: so the
 * file holds what was before that phase, the phase, and what came after.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callgrind_requests.h"
#include "callgrind_totals.h"
#include "meter.h"
#include "simulate.h"

/* What is counted apart. */
enum part { PART_BEFORE, PART_USE, PART_AFTER, PARTS };

struct simulated_state {
    uint64_t end[PARTS]; /* of its dump in callgrind's file; 0: none */
};

/* The last words that the runner has of a run that it stops. */
static const char hint[] =
    "under valgrind, which takes 20 to 100 times as long\n";

static int check_options(const char *options, char *why, size_t why_size)
{
    int with_caches;

    return simulate_parse(options, &with_caches, why, why_size);
}

static void simulated_start(void *run)
{
    const struct run_context *r = run;

    if (r->result_fd != STDOUT_FILENO &&
        write(STDERR_FILENO, hint, sizeof hint - 1) < 0)
        return; /* then nobody reads the counts either */
    callgrind_requests_start();
}

static void simulated_stop(void *run)
{
    (void)run;
    callgrind_requests_stop();
}

/* What came of it instead of counts; ends the process. */
static _Noreturn void give_up(const struct run_context *run, const char *why)
{
    char line[256];
    int n = snprintf(line, sizeof line, "!%s\t%s\n", status_name(STATUS_ERROR),
                     why);

    _exit(write(run->result_fd, line, (size_t)n) < 0 ? 4 : PLAYER_FAILED);
}

static void dump(struct simulated_state *s, enum part part)
{
    struct stat st;

    callgrind_requests_dump();
    if (!fstat(SIMULATE_FD, &st))
        s->end[part] = (uint64_t)st.st_size;
}

static void simulated_use_begin(void *run, unsigned thread)
{
    (void)thread;
    dump(((struct run_context *)run)->meter_state, PART_BEFORE);
}

static void simulated_use_end(void *run, unsigned thread)
{
    (void)thread;
    dump(((struct run_context *)run)->meter_state, PART_USE);
}

/* The totals of each dump; those without one stay 0.  A part is the last dump
 * of the file up to its end. */
static int read_parts(const struct simulated_state *s, int with_caches,
                      struct callgrind_totals parts[PARTS], char *why,
                      size_t why_size)
{
    void *text = MAP_FAILED;
    size_t size = (size_t)s->end[PART_AFTER];
    int err = 0;

    if (size)
        text = mmap(NULL, size, PROT_READ, MAP_SHARED, SIMULATE_FD, 0);
    if (text == MAP_FAILED) {
        snprintf(why, why_size, "callgrind left no counts");
        return -1;
    }
    for (int i = 0; i < PARTS && !err; i++)
        if (s->end[i])
            err = callgrind_totals_parse(text, (size_t)s->end[i], with_caches,
                                         &parts[i], why, why_size);
    munmap(text, size);
    return err;
}

static uint64_t count_in(const struct callgrind_totals *t, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)t + offset);
}

static void emit_counts(const struct run_context *run, int with_caches,
                        const struct callgrind_totals parts[PARTS])
{
#define COUNT(field) offsetof(struct callgrind_totals, field)
    static const struct {
        const char *metric;
        size_t offset;
        int of_cache;
    } counts[] = {
        {"sim_instructions", COUNT(instructions), 0},
        {"sim_branches", COUNT(branches), 0},
        {"sim_branch_misses", COUNT(branch_misses), 0},
        {"sim_i1_misses", COUNT(i1_misses), 1},
        {"sim_d1_misses", COUNT(d1_misses), 1},
        {"sim_ll_misses", COUNT(ll_misses), 1},
    };
    double ops = (double)replay_ops(run->replay);
    double uses = (double)replay_uses(run->replay);
    char metric[48];

    if (uses > 0)
        emit_value(run, "uses", "", "1", uses);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double use = (double)count_in(&parts[PART_USE], counts[i].offset);
        double all = use +
                     (double)count_in(&parts[PART_BEFORE], counts[i].offset) +
                     (double)count_in(&parts[PART_AFTER], counts[i].offset);

        if (counts[i].of_cache && !with_caches)
            continue;
        emit_value(run, counts[i].metric, "", "1", all);
        snprintf(metric, sizeof metric, "%s_per_op", counts[i].metric);
        emit_value(run, metric, "", "1", all / ops);
        snprintf(metric, sizeof metric, "%s_per_use", counts[i].metric);
        if (uses > 0)
            emit_value(run, metric, "", "1", use / uses);
    }
}

static void simulated_report(struct run_context *run)
{
    struct simulated_state *s = run->meter_state;
    struct callgrind_totals parts[PARTS] = {0};
    char why[160] = "";
    int with_caches;

    (void)simulate_parse(run->options, &with_caches, why, sizeof why);
    dump(s, PART_AFTER);
    if (read_parts(s, with_caches, parts, why, sizeof why))
        give_up(run, why);
    emit_counts(run, with_caches, parts);
    emit_note(run,
              "simulated by callgrind %s: %s; null's row is the harness's own",
              parts[PART_AFTER].version,
              with_caches ? CALLGRIND_CACHES : "no caches");
}

const struct meter meter_simulated = {
    .name = "simulated",
    .summary = "instructions, branches and cache misses, by callgrind",
    .state_bytes = sizeof(struct simulated_state),
    .is_timeless = 1,
    .one_thread = "counts of several threads differ from run to run: when "
                  "threads wait for each other the kernel decides",
    .check_options = check_options,
    .options_help = "    cache=off    instructions and branches only: FACTOR "
                    "times faster\n",
    .start = simulated_start,
    .stop = simulated_stop,
    .use_begin = simulated_use_begin,
    .use_end = simulated_use_end,
    .report = simulated_report,
};
