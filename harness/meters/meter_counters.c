/* meter_counters.c - what the processor counts during the replay, by thread.
 *
 * Each thread has its own counters, which run from just before its first
 * record to just after its last, in user mode unless asked otherwise.  What
 * the kernel counts by itself (faults, switches, CPU time) is there also where
 * hardware counters are refused.
 *
 * Names are looked up by a child process: libpfm calls malloc, which in this
 * process may be what is measured.
 *
 * Invariant: a count that could not be taken has no row, and the run's note
 *            says why; nothing here is ever a guess or a made-up 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counter_figure.h"
#include "counter_names.h"
#include "meter.h"
#include "op.h"
#include "ticks.h"

enum { NOTE_MAX = 160 };

/* What needs no counter, of one thread. */
struct kernel_counts {
    struct rusage usage;
    uint64_t cpu_ns;
};

struct counters_state {
    struct counter_list list; /* the last is cpu-migrations */
    struct counter_figure figure[COUNTER_EVENTS_MAX];
    struct kernel_counts before[OP_MAX_THREADS], after[OP_MAX_THREADS];
    struct counter_seat seat[OP_MAX_THREADS][COUNTER_EVENTS_MAX];
    struct counter_seat empty[COUNTER_EVENTS_MAX]; /* of thread 0, after once
                                                      more around nothing */
};

/* Counts of the same group only. */
static const struct {
    const char *metric, *numerator, *denominator;
} ratios[] = {
    {"ipc", "instructions", "cycles"},
    {"stalled_frontend_share", "stalled_frontend", "cycles"},
    {"stalled_backend_share", "stalled_backend", "cycles"},
    {"branch_miss_ratio", "branch_misses", "branches"},
    {"l1d_miss_ratio", "l1d_misses", "l1d_loads"},
    {"llc_miss_ratio", "llc_misses", "llc_loads"},
};

enum { RATIOS = sizeof ratios / sizeof *ratios };

/* ---- before the replay ---- */

static int counters_check_options(const char *options, char *why,
                                  size_t why_size)
{
    struct counter_list list;

    return counter_events_parse(options, &list, why, why_size);
}

/* If the child cannot do it, no event has a code to open. */
static void encode_apart(struct counter_list *list)
{
    struct counter_list *shared =
        mmap(NULL, sizeof *list, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = -1;

    pid_t child = -1;

    if (shared != MAP_FAILED) {
        *shared = *list;
        child = fork();
    }
    if (child == 0) {
        counter_names_encode(shared);
        _exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    for (unsigned i = 0; i < list->n; i++)
        list->event[i].err = ECHILD;
    if (status == 0)
        *list = *shared;
    if (shared != MAP_FAILED)
        munmap(shared, sizeof *list);
}

static const char *counters_open(void *arg)
{
    const struct run_context *run = arg;
    struct counters_state *s = run->meter_state;
    struct counter_list *list = &s->list;
    char why[NOTE_MAX];

    if (counter_names_missing())
        return counter_names_missing();
    if (counter_events_parse(run->options, list, why, sizeof why))
        return "its options are wrong"; /* they were checked before */
    encode_apart(list);
    list->event[list->n] = (struct counter_event){
        .name = "cpu-migrations",
        .metric = "cpu_migrations",
        .group = list->event[list->n - 1].group + 1,
        .is_software = 1,
        .code = {.type = PERF_TYPE_SOFTWARE,
                 .config = PERF_COUNT_SW_CPU_MIGRATIONS}};
    list->n++;
    return NULL;
}

/* ---- in each thread ---- */

static void counters_thread_open(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct counters_state *s = run->meter_state;

    counter_group_open(&s->list, &counter_opener_perf, s->seat[thread]);
}

static void take_kernel_counts(struct kernel_counts *out)
{
    getrusage(RUSAGE_THREAD, &out->usage);
    out->cpu_ns = clock_thread_cpu_ns();
}

static void counters_thread_start(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct counters_state *s = run->meter_state;

    take_kernel_counts(&s->before[thread]);
    counter_group_start();
}

static void counters_thread_stop(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct counters_state *s = run->meter_state;

    counter_group_stop();
    take_kernel_counts(&s->after[thread]);
    counter_group_read(s->seat[thread], s->list.n);
    if (thread == 0) {
        memcpy(s->empty, s->seat[0], sizeof s->empty);
        counter_group_start();
        counter_group_stop();
        counter_group_read(s->empty, s->list.n);
    }
}

static void counters_nothing(void *arg)
{
    (void)arg; /* each thread starts and stops its own */
}

/* ---- what is reported ---- */

static void emit_figure(const struct run_context *run, const char *metric,
                        const char *at, const char *unit, double value,
                        double share)
{
    if (share < 1)
        emit_noted(run, metric, at, unit, value,
                   "scaled: counted %.1f %% of the time", 100 * share);
    else
        emit_value(run, metric, at, unit, value);
}

static void report_ratio(const struct run_context *run, const char *at,
                         unsigned first, unsigned threads, int i)
{
    const struct counters_state *s = run->meter_state;
    const int over = counter_events_find(&s->list, ratios[i].numerator);
    const int under = counter_events_find(&s->list, ratios[i].denominator);

    if (over < 0 || under < 0)
        return;
    const struct counter_figure *a = &s->figure[over], *b = &s->figure[under];

    if (a->verdict == COUNTER_GOOD && b->verdict == COUNTER_GOOD &&
        b->value > 0 &&
        counter_same_group(s->seat[first], COUNTER_EVENTS_MAX, threads,
                           (unsigned)over, (unsigned)under))
        emit_figure(run, ratios[i].metric, at, "ratio", a->value / b->value,
                    a->share);
}

/* Counts and ratios of some threads together. */
static void report_counts(const struct run_context *run, const char *at,
                          unsigned first, unsigned threads)
{
    struct counters_state *s = run->meter_state;

    counter_figures(&s->list, s->seat[first], COUNTER_EVENTS_MAX, threads,
                    s->figure);
    for (unsigned i = 0; i < s->list.n; i++)
        if (s->figure[i].verdict == COUNTER_GOOD)
            emit_figure(run, s->list.event[i].metric, at, "1",
                        s->figure[i].value, s->figure[i].share);
    for (int i = 0; i < RATIOS; i++)
        report_ratio(run, at, first, threads, i);
}

/* What starting and stopping adds to the count of each thread. */
static void report_cost(const struct run_context *run)
{
    const struct counters_state *s = run->meter_state;
    const int i = counter_events_find(&s->list, "instructions");

    if (i >= 0 && s->figure[i].verdict == COUNTER_GOOD && !s->empty[i].err)
        emit_value(run, "counter_cost", "", "1",
                   (double)(s->empty[i].value - s->seat[0][i].value));
}

/* Of the figures of all threads. */
static void report_by_operation(const struct run_context *run)
{
    const struct counters_state *s = run->meter_state;
    const double ops = (double)replay_ops(run->replay);
    double least = 2;
    char metric[COUNTER_NAME_MAX + 8];

    for (unsigned i = 0; i < s->list.n; i++) {
        const struct counter_figure *f = &s->figure[i];

        if (s->list.event[i].is_software || f->verdict != COUNTER_GOOD)
            continue;
        least = f->share < least ? f->share : least;
        snprintf(metric, sizeof metric, "%s_per_op", s->list.event[i].metric);
        emit_figure(run, metric, "", "1", f->value / ops, f->share);
    }
    if (least <= 1)
        emit_value(run, "counted_share", "", "ratio", least);
}

static void report_kernel_counts(const struct run_context *run, const char *at,
                                 unsigned first, unsigned threads)
{
    const struct counters_state *s = run->meter_state;
    double minor = 0, major = 0, switches = 0, cpu_ns = 0;

    for (unsigned t = first; t < first + threads; t++) {
        const struct rusage *a = &s->before[t].usage, *b = &s->after[t].usage;

        minor += (double)(b->ru_minflt - a->ru_minflt);
        major += (double)(b->ru_majflt - a->ru_majflt);
        switches += (double)(b->ru_nvcsw - a->ru_nvcsw) +
                    (double)(b->ru_nivcsw - a->ru_nivcsw);
        cpu_ns += (double)(s->after[t].cpu_ns - s->before[t].cpu_ns);
    }
    emit_value(run, "minor_faults", at, "1", minor);
    emit_value(run, "major_faults", at, "1", major);
    emit_value(run, "context_switches", at, "1", switches);
    emit_value(run, "task_clock", at, "ns", cpu_ns);
}

/* ---- why there is no value ---- */

static int same_reason(const struct counter_figure *a,
                       const struct counter_figure *b)
{
    return a->verdict == b->verdict &&
           (a->verdict != COUNTER_REFUSED || a->err == b->err);
}

static void explain(const struct counter_figure *f, char *out, size_t size)
{
    if (f->verdict == COUNTER_SUSPECT)
        snprintf(out, size, "suspect: ran but counted nothing");
    else if (f->verdict == COUNTER_IDLE)
        snprintf(out, size,
                 "never had a turn on the counters: name fewer events");
    else
        counter_explain(f->err, counter_paranoid(), out, size);
}

static size_t append(char note[NOTE_MAX], size_t n, const char *a,
                     const char *b)
{
    n += (size_t)snprintf(note + n, NOTE_MAX - n, "%s%s", a, b);
    return n < NOTE_MAX ? n : NOTE_MAX - 1;
}

/* Add "REASON: NAMES" to the note, for the events that share the reason of
 * event i, unless one before it does. */
static size_t note_reason(const struct counters_state *s, unsigned i,
                          char note[NOTE_MAX], size_t n)
{
    const struct counter_figure *figure = s->figure;
    const unsigned hardware = s->list.n - 1;
    char reason[NOTE_MAX];
    unsigned same = 0;

    for (unsigned k = 0; k < s->list.n; k++)
        if (same_reason(&figure[k], &figure[i])) {
            if (k < i)
                return n;
            same++;
        }
    explain(&figure[i], reason, sizeof reason);
    if (same >= hardware)
        return append(note, n, "no hardware counts: ", reason);
    size_t end = strcspn(reason, "(;");
    while (end && reason[end - 1] == ' ')
        end--;
    reason[end] = 0;
    n = append(note, n, n ? "; " : "", reason);
    for (unsigned k = i; k < s->list.n; k++)
        if (same_reason(&figure[k], &figure[i]))
            n = append(note, n, k == i ? ": " : ",", s->list.event[k].metric);
    return n;
}

static void report_note(const struct run_context *run)
{
    const struct counters_state *s = run->meter_state;
    char note[NOTE_MAX] = "";
    size_t n = 0;

    for (unsigned i = 0; i < s->list.n; i++)
        if (s->figure[i].verdict != COUNTER_GOOD)
            n = note_reason(s, i, note, n);
    if (n)
        emit_note(run, "%s", note);
}

static void counters_report(struct run_context *run)
{
    struct counters_state *s = run->meter_state;
    const unsigned threads = replay_threads(run->replay);
    char at[24];

    report_counts(run, "", 0, threads);
    report_by_operation(run);
    report_cost(run);
    report_kernel_counts(run, "", 0, threads);
    report_note(run);
    for (unsigned t = 0; t < threads && threads > 1; t++) {
        snprintf(at, sizeof at, "thread:%u", t);
        report_counts(run, at, t, 1);
        report_kernel_counts(run, at, t, 1);
    }
    for (unsigned t = 0; t < threads; t++)
        counter_group_close(s->seat[t], s->list.n);
}

const struct meter meter_counters = {
    .name = "counters",
    .summary = "hardware counters, faults and switches, of each thread",
    .state_bytes = sizeof(struct counters_state),
    .check_options = counters_check_options,
    .options_help =
        "    events=A+B   names of libpfm, or raw codes such as r01c2;\n"
        "                 heapyard counters lists the default ones\n"
        "    kernel=1     count in the kernel too (default 0)\n",
    .open = counters_open,
    .start = counters_nothing,
    .stop = counters_nothing,
    .thread_open = counters_thread_open,
    .thread_start = counters_thread_start,
    .thread_stop = counters_thread_stop,
    .report = counters_report,
};
