/* slices.c - runs of one trace on two sides, compared part by part.
 *
 * Both sides do the same operations in slice i, in every turn.  What disturbs
 * a machine (a tick, another process, the host of a virtual machine, which
 * nobody counts) makes slices longer, never shorter, so each side's least time
 * of a slice over the turns is nearer to what the work takes.  Of the ratios
 * that are left a quarter at each end is dropped, on both sides alike.
 *
 * What it cannot see: a change that is confined to less than a quarter of the
 * slices, such as a rare long operation; cpu_per_op and the latencies can.
 *
 * Invariant: the same slices are added up on both sides.
 *
 * Source: the least of several as an estimator under additive noise: J. Chen &
 * J. Revels, "Robust benchmarking in noisy environments", 2016.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "slices.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { SLICES_MIN = 16 };

struct part {
    double time[2]; /* ns: baseline, candidate */
};

static double value_of(const struct outcome *o, const char *metric)
{
    const struct outcome_value *v = outcome_find(o, metric);

    return v ? v->value : NAN;
}

void slices_begin(struct slices *s)
{
    *s = (struct slices){.n = SHARED_SLICES_MAX};
}

static int fits(const struct slices *s, const struct outcome out[])
{
    const struct outcome *a = &out[0], *b = &out[1];

    return a->slices >= SLICES_MIN && a->slices == b->slices &&
           a->slice_ops == b->slice_ops &&
           (!s->turns || (s->n == a->slices - 1 && s->ops == a->slice_ops));
}

void slices_take(struct slices *s, const struct outcome out[])
{
    if (s->n && fits(s, out)) {
        s->n = out[0].slices - 1; /* nobody noted where the first began */
        s->ops = out[0].slice_ops;
    } else {
        s->n = 0;
    }
    for (int side = 0; side < 2; side++) {
        const struct outcome *o = &out[side];

        s->log_cpu[side] += log(value_of(o, "cpu_per_op"));
        for (unsigned i = 0; i < s->n; i++) {
            double ns =
                o->ns_per_tick * (double)(o->slice[i + 1] - o->slice[i]);
            double *least = &s->least[side][i];

            *least = s->turns && *least < ns ? *least : ns;
        }
    }
    s->turns++;
}

/* By the ratio of the candidate to the baseline. */
static int order(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    double p = x->time[1] * y->time[0], q = y->time[1] * x->time[0];

    return (p > q) - (p < q);
}

static int add(struct outcome out[], const double value[2])
{
    int err = outcome_add(&out[0], "mid_per_op", "", "ns", value[0]);

    return err ? err : outcome_add(&out[1], "mid_per_op", "", "ns", value[1]);
}

int slices_report(const struct slices *s, struct outcome out[])
{
    struct part part[SHARED_SLICES_MAX];
    double mean[2] = {0, 0};
    const size_t drop = s->n / 4;

    if (!s->n) {
        for (int side = 0; side < 2; side++)
            mean[side] = exp(s->log_cpu[side] / s->turns);
        return add(out, mean);
    }
    for (unsigned i = 0; i < s->n; i++)
        for (int side = 0; side < 2; side++)
            part[i].time[side] = s->least[side][i];
    qsort(part, s->n, sizeof *part, order);
    for (size_t i = drop; i < s->n - drop; i++)
        for (int side = 0; side < 2; side++)
            mean[side] += part[i].time[side] /
                          ((double)(s->n - 2 * drop) * (double)s->ops);
    return add(out, mean);
}
