/* meter_simulated.c - instructions, branches and cache misses of the replay,
 * counted by callgrind.
 *
 * The replay runs on valgrind's simulated processor (simulate.c), which counts
 * from start to stop and nowhere else.  No clock and no other program is in
 * the counts, so one allocator can be compared with itself exactly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callgrind_requests.h"
#include "callgrind_totals.h"
#include "meter.h"
#include "simulate.h"

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

static int read_totals(int with_caches, struct callgrind_totals *out, char *why,
                       size_t why_size)
{
    struct stat st;
    void *text = MAP_FAILED;

    if (!fstat(SIMULATE_FD, &st) && st.st_size > 0)
        text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
                    SIMULATE_FD, 0);
    if (text == MAP_FAILED) {
        snprintf(why, why_size, "callgrind left no counts");
        return -1;
    }
    int err = callgrind_totals_parse(text, (size_t)st.st_size, with_caches, out,
                                     why, why_size);

    munmap(text, (size_t)st.st_size);
    return err;
}

static void emit_counts(const struct run_context *run, int with_caches,
                        const struct callgrind_totals *t)
{
    const struct {
        const char *metric;
        uint64_t count;
        int of_cache;
    } counts[] = {
        {"sim_instructions", t->instructions, 0},
        {"sim_branches", t->branches, 0},
        {"sim_branch_misses", t->branch_misses, 0},
        {"sim_i1_misses", t->i1_misses, 1},
        {"sim_d1_misses", t->d1_misses, 1},
        {"sim_ll_misses", t->ll_misses, 1},
    };
    char metric[48];

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double count = (double)counts[i].count;

        if (counts[i].of_cache && !with_caches)
            continue;
        emit_value(run, counts[i].metric, "", "1", count);
        snprintf(metric, sizeof metric, "%s_per_op", counts[i].metric);
        emit_value(run, metric, "", "1",
                   count / (double)replay_ops(run->replay));
    }
}

static void simulated_report(struct run_context *run)
{
    struct callgrind_totals totals;
    char why[160] = "";
    int with_caches;

    (void)simulate_parse(run->options, &with_caches, why, sizeof why);
    callgrind_requests_dump();
    if (read_totals(with_caches, &totals, why, sizeof why))
        give_up(run, why);
    emit_counts(run, with_caches, &totals);
    emit_note(run,
              "simulated by callgrind %s: %s; null's row is the harness's own",
              totals.version, with_caches ? CALLGRIND_CACHES : "no caches");
}

const struct meter meter_simulated = {
    .name = "simulated",
    .summary = "instructions, branches and cache misses, by callgrind",
    .state_bytes = 1,
    .is_timeless = 1,
    .one_thread = "counts of several threads differ from run to run: when "
                  "threads wait for each other the kernel decides",
    .check_options = check_options,
    .options_help = "    cache=off    instructions and branches only: FACTOR "
                    "times faster\n",
    .start = simulated_start,
    .stop = simulated_stop,
    .report = simulated_report,
};
