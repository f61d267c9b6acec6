/* cmd_counters.c - `heapyard counters`: what of the meter counters works here.
 *
 * That libpfm sees a PMU, or finds a code for a name, does not say that the
 * kernel lets it be used: each event is opened, counts a test loop, and what
 * it reads is shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "counter_figure.h"
#include "counter_names.h"

struct counters_args {
    const char *events; /* options of the meter, or NULL */
    int kernel;
    struct counter_list list;
};

enum {
    LOOP_BYTES = 8 << 20, /* more than most second-level caches */
    LOOP_TURNS = 1 << 20
};

/* Branches that cannot be predicted, and loads that miss. */
static unsigned test_loop(const unsigned char *bytes)
{
    uint64_t x = 1;
    unsigned sum = 0;

    for (int i = 0; i < LOOP_TURNS; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        if (x >> 63)
            sum += bytes[(x >> 32) % LOOP_BYTES];
        else
            sum ^= (unsigned)i;
    }
    return sum;
}

/* Count the loop with one event.  Returns 0, an errno or COUNTER_UNKNOWN. */
static int try_event(const struct counter_event *e, const unsigned char *bytes,
                     struct counter_seat *seat)
{
    const struct counter_list one = {.event = {*e}, .n = 1};
    volatile unsigned sum;

    counter_group_open(&one, &counter_opener_perf, seat);
    if (seat->err)
        return seat->err;
    counter_group_start();
    sum = test_loop(bytes);
    counter_group_stop();
    (void)sum;
    counter_group_read(seat, 1);
    const int err = seat->err;
    counter_group_close(seat, 1);
    return err;
}

/* ---- what is printed ---- */

static void print_pmu(void *arg, const struct counter_pmu *pmu)
{
    (void)arg;
    printf("  %-12s %s", pmu->name, pmu->description);
    if (pmu->is_core)
        printf("; %d counters, %d of them fixed", pmu->counters + pmu->fixed,
               pmu->fixed);
    putchar('\n');
}

static void print_pmus(void)
{
    if (counter_names_missing()) {
        printf("PMUs: %s\n", counter_names_missing());
        return;
    }
    puts("PMUs that libpfm4 detects (present is not usable, see below):");
    if (!counter_names_visit_pmus(print_pmu, NULL))
        puts("  none of a processor's core");
}

static void print_permission(void)
{
    const int paranoid = counter_paranoid();

    if (paranoid == INT_MIN)
        puts("kernel.perf_event_paranoid: unknown");
    else
        printf("kernel.perf_event_paranoid: %d (a user without CAP_PERFMON may "
               "count: %s)\n",
               paranoid,
               paranoid > 2   ? "nothing"
               : paranoid > 1 ? "user mode"
                              : "user mode and kernel");
}

/* Why events were refused, each reason once. */
struct refusals {
    int err[COUNTER_EVENTS_MAX];
    unsigned n;
};

static void note_refusal(struct refusals *r, int err)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->err[i] == err)
            return;
    r->err[r->n++] = err;
}

static void print_refusals(const struct refusals *r)
{
    char why[200];

    for (unsigned i = 0; i < r->n; i++) {
        counter_explain(r->err[i], counter_paranoid(), why, sizeof why);
        printf("  %s\n", why);
    }
}

static void print_event(const struct counter_event *e, int err,
                        const struct counter_seat *seat)
{
    char why[200];

    printf("  %-24s ", e->name);
    if (err) {
        counter_explain(err, counter_paranoid(), why, sizeof why);
        printf("refused (%.*s)\n", (int)strcspn(why, ":"), why);
    } else if (!seat->running_ns) {
        puts("opens, but had no turn: others use the counters");
    } else if (!seat->value && !e->is_software) {
        puts("opens, but counted nothing in a test loop: suspect");
    } else {
        printf(
            "usable; %llu in a test loop%s\n", (unsigned long long)seat->value,
            e->is_software && e->code.exclude_kernel ? ", user mode only" : "");
    }
}

static void print_hardware(const struct counter_list *list,
                           const unsigned char *bytes)
{
    struct refusals refusals = {.n = 0};
    struct counter_seat seat;

    printf("Hardware events, in %s:\n",
           list->kernel ? "user mode and the kernel" : "user mode");
    if (counter_names_missing()) {
        printf("  %s\n", counter_names_missing());
        return;
    }
    for (unsigned i = 0; i < list->n; i++) {
        const int err = try_event(&list->event[i], bytes, &seat);

        print_event(&list->event[i], err, &seat);
        if (err)
            note_refusal(&refusals, err);
    }
    print_refusals(&refusals);
}

static const struct {
    const char *name;
    uint64_t config;
} software[] = {
    {"page-faults", PERF_COUNT_SW_PAGE_FAULTS},
    {"context-switches", PERF_COUNT_SW_CONTEXT_SWITCHES},
    {"cpu-migrations", PERF_COUNT_SW_CPU_MIGRATIONS},
    {"task-clock", PERF_COUNT_SW_TASK_CLOCK},
};

/* Returns how many can be used, be it in user mode only. */
static int print_software(const unsigned char *bytes)
{
    struct refusals refusals = {.n = 0};
    struct counter_seat seat;
    int usable = 0;

    puts("Software events (the meter takes all but migrations from getrusage, "
         "which is\nnever refused):");
    for (size_t i = 0; i < sizeof software / sizeof *software; i++) {
        struct counter_event e = {
            .is_software = 1,
            .code = {.type = PERF_TYPE_SOFTWARE, .config = software[i].config}};

        snprintf(e.name, sizeof e.name, "%s", software[i].name);
        int err = try_event(&e, bytes, &seat);
        if (err == EACCES || err == EPERM) {
            note_refusal(&refusals, err);
            e.code.exclude_kernel = 1;
            err = try_event(&e, bytes, &seat);
        }
        print_event(&e, err, &seat);
        if (err)
            note_refusal(&refusals, err);
        usable += !err;
    }
    print_refusals(&refusals);
    return usable;
}

/* ---- the verb ---- */

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct counters_args *a = state->input;
    char text[1024], why[256];

    switch (key) {
    case 'e':
        a->events = arg;
        return 0;
    case 'k':
        a->kernel = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" (want options only)", arg);
        return 0;
    case ARGP_KEY_END:
        snprintf(text, sizeof text, "%s%.900s%skernel=%d",
                 a->events ? "events=" : "", a->events ? a->events : "",
                 a->events ? ":" : "", a->kernel);
        if (counter_events_parse(text, &a->list, why, sizeof why))
            argp_error(state, "--%s", why);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"events", 'e', "LIST", 0,
     "names of libpfm or raw codes rHEX, joined by + (default: those of the "
     "meter counters); instructions are always shown",
     0},
    {"kernel", 'k', NULL, 0, "count in the kernel too", 0},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse_opt,
    .doc = "Which hardware counters can be used on this machine, and if not, "
           "why.\v"
           "Exit code 3 if not even software events can be used.\n\n"
           "Examples:\n"
           "  heapyard counters\n"
           "  heapyard counters --events cycles+r01c2+L1-dcache-load-misses\n"
           "  heapyard bench --workload churn --meters counters",
};

int cmd_counters(int argc, char **argv)
{
    struct counters_args a = {0};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    unsigned char *bytes = malloc(LOOP_BYTES);

    if (!bytes) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(ENOMEM));
        return EXIT_INFRA;
    }
    memset(bytes, 1, LOOP_BYTES);
    print_permission();
    print_pmus();
    counter_names_encode(&a.list);
    print_hardware(&a.list, bytes);
    const int usable = print_software(bytes);

    free(bytes);
    return usable ? EXIT_GOOD : EXIT_INFRA;
}
