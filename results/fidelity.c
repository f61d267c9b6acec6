/* fidelity.c - whether a replay says what the real program says.
 *
 * Two allocators are told apart on the real program if the centre of their
 * log-ratios, paired by block, has an interval without 0; only such pairs
 * count for the order, since the order of the others is noise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fidelity.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "paired.h"
#include "robust.h"

/* ---- rows in ---- */

struct fidelity_program *fidelity_program_new(const char *name)
{
    struct fidelity_program *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    snprintf(p->name, sizeof p->name, "%s", name);
    for (size_t b = 0; b < FIDELITY_BLOCKS_MAX; b++)
        p->floor[b] = NAN;
    return p;
}

struct fidelity_arm *fidelity_arm_get(struct fidelity_program *p,
                                      const char *allocator)
{
    for (size_t i = 0; i < p->arms; i++)
        if (!strcmp(p->arm[i].allocator, allocator))
            return &p->arm[i];
    if (p->arms == FIDELITY_ARMS_MAX)
        return NULL;
    struct fidelity_arm *arm = &p->arm[p->arms++];
    double *value = &arm->value[0][0][0];

    snprintf(arm->allocator, sizeof arm->allocator, "%s", allocator);
    for (size_t i = 0; i < sizeof arm->value / sizeof *value; i++)
        value[i] = NAN;
    return arm;
}

static double *find_value(struct fidelity_arm *arm, enum fidelity_side side,
                          const struct row *row)
{
    static const struct {
        const char *meter, *metric;
        enum fidelity_figure figure;
    } figures[] = {{"time", "cpu", FIDELITY_CPU},
                   {"memory", "rss_peak", FIDELITY_PEAK},
                   {"memory", "rss_mean", FIDELITY_MEAN}};

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (!row->at[0] && !strcmp(row->key.meter, figures[i].meter) &&
            !strcmp(row->metric, figures[i].metric))
            return &arm->value[side][figures[i].figure][row->key.block - 1];
    return NULL;
}

int fidelity_take(struct fidelity_program *p, enum fidelity_side side,
                  const struct row *row)
{
    if (row->key.block > FIDELITY_BLOCKS_MAX)
        return E2BIG;
    if (!strcmp(row->key.allocator, "null")) {
        if (side == FIDELITY_REPLAY && !strcmp(row->metric, "cpu"))
            p->floor[row->key.block - 1] = row->value;
        return 0;
    }
    struct fidelity_arm *arm = fidelity_arm_get(p, row->key.allocator);
    if (!arm)
        return E2BIG;
    if (row->status != STATUS_OK && arm->status == STATUS_OK) {
        arm->status = row->status;
        memcpy(arm->note, row->note, sizeof arm->note);
    }
    double *value = find_value(arm, side, row);
    if (value && row->status == STATUS_OK)
        *value = row->value;
    return 0;
}

/* ---- figures ---- */

/* Those of x[FIDELITY_BLOCKS_MAX] that are known, in order: how many. */
static size_t known(const double x[], double out[])
{
    size_t n = 0;

    for (size_t b = 0; b < FIDELITY_BLOCKS_MAX; b++)
        if (!isnan(x[b]))
            out[n++] = x[b];
    return n;
}

static double median(const double x[])
{
    double value[FIDELITY_BLOCKS_MAX];
    size_t n = known(x, value);

    return n ? reals_median(value, n) : NAN;
}

/* The median of x and its interval, in m.  Returns 0 or ENOMEM. */
static int estimate(const double x[], struct interval *m)
{
    double value[FIDELITY_BLOCKS_MAX];
    size_t n = known(x, value);

    *m = (struct interval){NAN, NAN, NAN};
    return n ? stat_median(value, n, 1, m) : 0;
}

static void subtract(const double a[], const double b[], double out[])
{
    for (size_t i = 0; i < FIDELITY_BLOCKS_MAX; i++)
        out[i] = a[i] - b[i];
}

/* Centre of what a and b differ by in the blocks that both have. */
static int difference(const double a[], const double b[], struct interval *d)
{
    double x[FIDELITY_BLOCKS_MAX], value[FIDELITY_BLOCKS_MAX];

    subtract(a, b, x);
    size_t n = known(x, value);
    *d = (struct interval){NAN, NAN, NAN};
    int err = n ? paired_centre(value, n, 0.95, d) : 0;

    if (!isfinite(d->lo) || !isfinite(d->hi))
        d->lo = d->hi = NAN; /* too few pairs for an interval */
    return err;
}

/* Centre of log(a / b) at FIDELITY_LEVEL; *n: pairs. */
static int log_ratio(const double a[], const double b[], struct interval *r,
                     size_t *n)
{
    double x[FIDELITY_BLOCKS_MAX], value[FIDELITY_BLOCKS_MAX];

    for (size_t i = 0; i < FIDELITY_BLOCKS_MAX; i++)
        x[i] = a[i] > 0 && b[i] > 0 ? log(a[i] / b[i]) : NAN;
    *n = known(x, value);
    *r = (struct interval){NAN, -INFINITY, INFINITY};
    return *n ? paired_centre(value, *n, FIDELITY_LEVEL, r) : 0;
}

double kendall_tau(uint32_t pairs, uint32_t alike)
{
    return pairs ? (2.0 * alike - pairs) / pairs : NAN;
}

static int compare_pair(const struct fidelity_arm *a,
                        const struct fidelity_arm *b, struct fidelity_order *o)
{
    struct interval real, replay;
    size_t nreal, nreplay;
    int err = log_ratio(a->value[FIDELITY_REAL][FIDELITY_CPU],
                        b->value[FIDELITY_REAL][FIDELITY_CPU], &real, &nreal);

    if (!err)
        err = log_ratio(a->value[FIDELITY_REPLAY][FIDELITY_CPU],
                        b->value[FIDELITY_REPLAY][FIDELITY_CPU], &replay,
                        &nreplay);
    if (err || !nreal || !nreplay)
        return err;
    o->pairs++;
    if (real.lo <= 0 && real.hi >= 0)
        return 0;
    o->told_apart++;
    o->alike += real.lo > 0 ? replay.value > 0 : replay.value < 0;
    return 0;
}

static int compare_order(const struct fidelity_program *p,
                         struct fidelity_order *o)
{
    int err = 0;

    *o = (struct fidelity_order){0};
    for (size_t i = 0; i < p->arms; i++)
        for (size_t k = i + 1; k < p->arms && !err; k++)
            err = compare_pair(&p->arm[i], &p->arm[k], o);
    o->tau = kendall_tau(o->told_apart, o->alike);
    return err;
}

static int fill_times(const struct fidelity_program *p,
                      const struct fidelity_arm *arm, struct fidelity_row *row)
{
    const double *real = arm->value[FIDELITY_REAL][FIDELITY_CPU];
    const double *replay = arm->value[FIDELITY_REPLAY][FIDELITY_CPU];
    struct interval m;
    double x[FIDELITY_BLOCKS_MAX];
    int err = estimate(real, &m);

    row->real_cpu = m.value, row->real_cpu_lo = m.lo, row->real_cpu_hi = m.hi;
    err = err ? err : estimate(replay, &m);
    row->replay_cpu = m.value;
    row->replay_cpu_lo = m.lo, row->replay_cpu_hi = m.hi;
    row->floor_cpu = median(p->floor);
    subtract(replay, p->floor, x);
    row->malloc_cpu = median(x);
    for (size_t b = 0; b < FIDELITY_BLOCKS_MAX; b++)
        row->runs += !isnan(real[b]) && !isnan(replay[b]);
    return err;
}

static int fill_differences(const struct fidelity_arm *arm,
                            const struct fidelity_arm *base,
                            struct fidelity_row *row)
{
    struct interval d;
    int err = difference(arm->value[FIDELITY_REAL][FIDELITY_CPU],
                         base->value[FIDELITY_REAL][FIDELITY_CPU], &d);

    row->real_diff = d.value, row->real_diff_lo = d.lo,
    row->real_diff_hi = d.hi;
    err = err ? err
              : difference(arm->value[FIDELITY_REPLAY][FIDELITY_CPU],
                           base->value[FIDELITY_REPLAY][FIDELITY_CPU], &d);
    row->replay_diff = d.value;
    row->replay_diff_lo = d.lo, row->replay_diff_hi = d.hi;
    return err;
}

int fidelity_compare(const struct fidelity_program *p, const char *baseline,
                     struct fidelity_row row[], struct fidelity_order *order)
{
    const struct fidelity_arm *base = NULL;
    int err = compare_order(p, order);

    for (size_t i = 0; i < p->arms; i++)
        if (!strcmp(p->arm[i].allocator, baseline))
            base = &p->arm[i];
    for (size_t i = 0; i < p->arms && !err; i++) {
        const struct fidelity_arm *arm = &p->arm[i];
        struct fidelity_row *r = &row[i];

        *r = (struct fidelity_row){
            .status = arm->status,
            .real_diff = NAN,
            .real_diff_lo = NAN,
            .real_diff_hi = NAN,
            .replay_diff = NAN,
            .replay_diff_lo = NAN,
            .replay_diff_hi = NAN,
            .real_peak = median(arm->value[FIDELITY_REAL][FIDELITY_PEAK]),
            .replay_peak = median(arm->value[FIDELITY_REPLAY][FIDELITY_PEAK]),
            .real_mean = median(arm->value[FIDELITY_REAL][FIDELITY_MEAN]),
            .replay_mean = median(arm->value[FIDELITY_REPLAY][FIDELITY_MEAN]),
            .told_apart = order->told_apart,
            .alike = order->alike,
            .tau = order->tau};
        memcpy(r->program, p->name, sizeof r->program);
        memcpy(r->allocator, arm->allocator, sizeof r->allocator);
        memcpy(r->note, arm->note, sizeof r->note);
        err = fill_times(p, arm, r);
        if (!err && base && base != arm)
            err = fill_differences(arm, base, r);
    }
    return err;
}

/* ---- rows out ---- */

#define FIELD(member, type) COLUMN(struct fidelity_row, member, type, 0, NULL)

static const struct column columns[] = {
    FIELD(date, COLUMN_TEXT),
    FIELD(machine, COLUMN_TEXT),
    FIELD(program, COLUMN_TEXT),
    FIELD(allocator, COLUMN_TEXT),
    FIELD(runs, COLUMN_COUNT32),
    FIELD(status, COLUMN_STATUS),
    FIELD(real_cpu, COLUMN_MAYBE),
    FIELD(real_cpu_lo, COLUMN_MAYBE),
    FIELD(real_cpu_hi, COLUMN_MAYBE),
    FIELD(replay_cpu, COLUMN_MAYBE),
    FIELD(replay_cpu_lo, COLUMN_MAYBE),
    FIELD(replay_cpu_hi, COLUMN_MAYBE),
    FIELD(floor_cpu, COLUMN_MAYBE),
    FIELD(malloc_cpu, COLUMN_MAYBE),
    FIELD(real_diff, COLUMN_MAYBE),
    FIELD(real_diff_lo, COLUMN_MAYBE),
    FIELD(real_diff_hi, COLUMN_MAYBE),
    FIELD(replay_diff, COLUMN_MAYBE),
    FIELD(replay_diff_lo, COLUMN_MAYBE),
    FIELD(replay_diff_hi, COLUMN_MAYBE),
    FIELD(real_peak, COLUMN_MAYBE),
    FIELD(replay_peak, COLUMN_MAYBE),
    FIELD(real_mean, COLUMN_MAYBE),
    FIELD(replay_mean, COLUMN_MAYBE),
    FIELD(told_apart, COLUMN_COUNT32),
    FIELD(alike, COLUMN_COUNT32),
    FIELD(tau, COLUMN_MAYBE),
    FIELD(note, COLUMN_TEXT),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

int fidelity_write_header(FILE *f)
{
    return table_write_header(f, columns, COLUMNS);
}

int fidelity_write(FILE *f, const struct fidelity_row *row)
{
    return table_write(f, columns, COLUMNS, row);
}
