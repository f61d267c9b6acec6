/* plan.c - the list of runs: one line of plan.tsv each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "meter.h"
#include "numbers.h"
#include "random.h"
#include "replay.h"

enum { COLUMNS = 11 };

static const char *const columns[COLUMNS] = {
    "run",       "block", "workload", "threads", "scale",     "seed",
    "allocator", "meter", "touch",    "window",  "timeout_s",
};

/* ---- expansion ---- */

static int append(struct plan *plan, const struct plan_run *run)
{
    if ((plan->n & (plan->n - 1)) == 0) {
        size_t room = plan->n ? 2 * plan->n : 1;
        struct plan_run *more = realloc(plan->runs, room * sizeof *more);

        if (!more)
            return ENOMEM;
        plan->runs = more;
    }
    plan->runs[plan->n++] = *run;
    return 0;
}

/* In how many blocks a meter takes part. */
static uint32_t blocks_of(const struct spec *spec, const char *meter)
{
    if (meter_is(meter, "time") || meter_is(meter, "latency") ||
        meter_is(meter, "gc"))
        return spec_runs(spec);
    if (meter_is(meter, "memory"))
        return spec->memory_runs < spec_runs(spec) ? spec->memory_runs
                                                   : spec_runs(spec);
    return 1;
}

static int append_arms(const struct spec *spec, struct plan *plan,
                       struct plan_run run)
{
    int err = 0;

    for (unsigned m = 0; m < spec->meters.n && !err; m++) {
        if (run.block > blocks_of(spec, spec->meters.item[m]))
            continue;
        snprintf(run.meter, sizeof run.meter, "%s", spec->meters.item[m]);
        for (unsigned a = 0; a < spec->allocators.n && !err; a++) {
            snprintf(run.allocator, sizeof run.allocator, "%s",
                     spec->allocators.item[a]);
            err = append(plan, &run);
        }
    }
    return err;
}

static int append_block(const struct spec *spec, struct plan *plan,
                        uint32_t block, const int recorded[])
{
    int err = 0;

    for (unsigned w = 0; w < spec->workloads.n; w++)
        for (unsigned t = 0; t < spec->nthreads && !err; t++) {
            struct plan_run run = {.block = block,
                                   .touch = spec->touch,
                                   .window = spec->window,
                                   .timeout_s = spec->timeout_s};

            if (recorded[w] && t > 0)
                continue; /* its threads are those it was recorded with */
            run.trace.threads = recorded[w] ? 0 : spec->threads[t];
            run.trace.seed = spec->seed;
            run.trace.scale = recorded[w] ? 1.0 : spec->scale;
            snprintf(run.trace.workload, sizeof run.trace.workload, "%s",
                     spec->workloads.item[w]);
            err = append_arms(spec, plan, run);
        }
    return err;
}

static void shuffle(struct plan_run *runs, size_t n, struct random *random)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)random_below(random, i);
        struct plan_run other = runs[i - 1];

        runs[i - 1] = runs[j];
        runs[j] = other;
    }
}

static uint32_t most_blocks(const struct spec *spec)
{
    uint32_t most = 0;

    for (unsigned m = 0; m < spec->meters.n; m++) {
        uint32_t blocks = blocks_of(spec, spec->meters.item[m]);

        most = blocks > most ? blocks : most;
    }
    return most;
}

/* A name that is none of ours is a library, which its run looks for. */
static int check_allocators(const struct spec *spec, char *why, size_t why_size)
{
    const struct allocator *allocator;
    struct knob_values knobs;
    int err = 0;

    for (unsigned a = 0; a < spec->allocators.n && !err; a++) {
        err = allocator_choose(spec->allocators.item[a], &allocator, &knobs,
                               why, why_size);
        if (err == ENOENT)
            err = 0;
    }
    return err;
}

static int check_meters(const struct spec *spec, char *why, size_t why_size)
{
    const struct meter *meter;
    const char *options;
    int err = 0;

    for (unsigned m = 0; m < spec->meters.n && !err; m++)
        err =
            meter_choose(spec->meters.item[m], &meter, &options, why, why_size);
    return err;
}

int plan_expand(const struct spec *spec, struct plan *out, char *why,
                size_t why_size)
{
    int recorded[SPEC_LIST_MAX], err = 0;
    struct random random;

    *out = (struct plan){0};
    for (unsigned w = 0; w < spec->workloads.n && !err; w++)
        for (unsigned t = 0; t < spec->nthreads && !err; t++)
            err = prepare_check(spec->workloads.item[w], spec->threads[t],
                                &recorded[w], why, why_size);
    if (!err)
        err = check_allocators(spec, why, why_size);
    if (!err)
        err = check_meters(spec, why, why_size);
    if (err)
        return err;
    random_seed(&random, spec->seed);
    for (uint32_t block = 1; block <= most_blocks(spec) && !err; block++) {
        size_t first = out->n;

        err = append_block(spec, out, block, recorded);
        if (!err)
            shuffle(out->runs + first, out->n - first, &random);
    }
    for (size_t i = 0; i < out->n; i++)
        out->runs[i].run = (uint32_t)i + 1;
    if (err) {
        snprintf(why, why_size, "%s", strerror(err));
        plan_free(out);
    }
    return err;
}

void plan_free(struct plan *plan)
{
    free(plan->runs);
    *plan = (struct plan){0};
}

static int run_equal(const struct plan_run *a, const struct plan_run *b)
{
    return a->run == b->run && a->block == b->block &&
           !strcmp(a->trace.workload, b->trace.workload) &&
           a->trace.threads == b->trace.threads &&
           a->trace.seed == b->trace.seed && a->trace.scale == b->trace.scale &&
           !strcmp(a->allocator, b->allocator) && !strcmp(a->meter, b->meter) &&
           a->touch == b->touch && a->window == b->window &&
           a->timeout_s == b->timeout_s;
}

int plan_equal(const struct plan *a, const struct plan *b)
{
    if (a->n != b->n)
        return 0;
    for (size_t i = 0; i < a->n; i++)
        if (!run_equal(&a->runs[i], &b->runs[i]))
            return 0;
    return 1;
}

/* ---- the file ---- */

int plan_write(const struct plan *plan, FILE *file)
{
    for (int i = 0; i < COLUMNS; i++)
        fprintf(file, "%s%c", columns[i], i + 1 < COLUMNS ? '\t' : '\n');
    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_run *r = &plan->runs[i];

        fprintf(file, "%u\t%u\t%s\t%u\t%.17g\t%llu\t%s\t%s\t%s\t%u\t%u\n",
                r->run, r->block, r->trace.workload, r->trace.threads,
                r->trace.scale, (unsigned long long)r->trace.seed, r->allocator,
                r->meter, touch_name(r->touch), r->window, r->timeout_s);
    }
    return fflush(file) || ferror(file) ? (errno ? errno : EIO) : 0;
}

static int set_u32(const char *text, uint64_t min, uint64_t max, uint32_t *out)
{
    uint64_t n;

    if (number_parse(text, min, max, &n))
        return EINVAL;
    *out = (uint32_t)n;
    return 0;
}

static int set_text(const char *text, char *out, size_t size)
{
    if (!*text || strlen(text) >= size)
        return EINVAL;
    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            return EINVAL;
    snprintf(out, size, "%s", text);
    return 0;
}

static int is_meter(const char *text)
{
    const struct meter *meter;
    const char *options;
    char why[256];

    return !meter_choose(text, &meter, &options, why, sizeof why);
}

/* Set one column; NULL, or what would be right. */
static const char *set_column(struct plan_run *r, int column, const char *text)
{
    uint32_t threads;

    switch (column) {
    case 0:
        return set_u32(text, 1, UINT32_MAX, &r->run) ? "1.." : NULL;
    case 1:
        return set_u32(text, 1, UINT32_MAX, &r->block) ? "1.." : NULL;
    case 2:
        return set_text(text, r->trace.workload, sizeof r->trace.workload)
                   ? "a workload"
                   : NULL;
    case 3:
        if (set_u32(text, 0, OP_MAX_THREADS, &threads))
            return "0 (as recorded), or 1..1024";
        r->trace.threads = threads;
        return NULL;
    case 4:
        return real_parse(text, 1e-4, 1e4, &r->trace.scale) ? "0.0001..10000"
                                                            : NULL;
    case 5:
        return number_parse(text, 0, UINT64_MAX, &r->trace.seed)
                   ? "0..18446744073709551615"
                   : NULL;
    case 6:
        return set_text(text, r->allocator, sizeof r->allocator)
                   ? "an allocator"
                   : NULL;
    case 7:
        return set_text(text, r->meter, sizeof r->meter) || !is_meter(r->meter)
                   ? meter_names()
                   : NULL;
    case 8:
        return touch_parse(text, &r->touch) ? "none, byte, page, line, full"
                                            : NULL;
    case 9:
        return set_u32(text, 0, UINT32_MAX, &r->window) ||
                       (r->window && r->window < REPLAY_WINDOW_MIN)
                   ? "0, or 512.."
                   : NULL;
    default:
        return set_u32(text, 1, 86400, &r->timeout_s) ? "1..86400" : NULL;
    }
}

static int parse_line(char *line, struct plan_run *run, char *why,
                      size_t why_size)
{
    char *at = line;

    *run = (struct plan_run){0};
    for (int i = 0; i < COLUMNS; i++) {
        char *tab = strchr(at, '\t');

        if (!tab != (i + 1 == COLUMNS)) {
            snprintf(why, why_size, "want %d columns separated by tabs",
                     COLUMNS);
            return EINVAL;
        }
        if (tab)
            *tab = 0;
        const char *want = set_column(run, i, at);
        if (want) {
            snprintf(why, why_size, "%s = %.60s (want %s)", columns[i], at,
                     want);
            return EINVAL;
        }
        at = tab ? tab + 1 : at;
    }
    return 0;
}

static int check_header(char *line, char *why, size_t why_size)
{
    char want[256] = "";

    for (int i = 0; i < COLUMNS; i++) {
        strcat(want, columns[i]);
        strcat(want, i + 1 < COLUMNS ? "\t" : "");
    }
    if (!strcmp(line, want))
        return 0;
    snprintf(why, why_size, "is not the header of a plan");
    return EINVAL;
}

static int read_run(char *line, struct plan *plan, char *why, size_t why_size)
{
    struct plan_run run = {0};
    int err = parse_line(line, &run, why, why_size);

    if (!err && run.run != plan->n + 1) {
        snprintf(why, why_size, "run = %u (want %zu)", run.run, plan->n + 1);
        err = EINVAL;
    }
    if (!err && (err = append(plan, &run)))
        snprintf(why, why_size, "%s", strerror(err));
    return err;
}

static int read_lines(FILE *file, const char *path, struct plan *plan,
                      char *why, size_t why_size)
{
    char line[2048], detail[256];
    int err = 0, ended;

    for (unsigned number = 1; !err; number++) {
        err = line_read(file, line, sizeof line, &ended);
        if (err == ENODATA)
            break;
        if (err || !ended) {
            snprintf(detail, sizeof detail, "%s",
                     err ? line_fault(err) : "line is cut off");
            err = err == EIO ? EIO : EINVAL;
        } else if (number == 1) {
            err = check_header(line, detail, sizeof detail);
        } else {
            err = read_run(line, plan, detail, sizeof detail);
        }
        if (err)
            snprintf(why, why_size, "%s:%u: %s", path, number, detail);
    }
    if (err == ENODATA)
        err = 0;
    if (!err && !plan->n) {
        snprintf(why, why_size, "%s: has no runs", path);
        err = EINVAL;
    }
    return err;
}

int plan_read(const char *path, struct plan *out, char *why, size_t why_size)
{
    FILE *file = fopen(path, "r");

    *out = (struct plan){0};
    if (!file) {
        int err = errno;

        snprintf(why, why_size, "%s: %s", path, strerror(err));
        return err;
    }
    int err = read_lines(file, path, out, why, why_size);

    fclose(file);
    if (err)
        plan_free(out);
    return err;
}
