/* warmup.c - were the first blocks slower than the rest, in all arms alike?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "warmup.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "robust.h"

static int order_runs(const void *a, const void *b)
{
    const struct warmup_run *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

/* The factor of each block, in order; how many.  Uses scratch[n]. */
static size_t reduce_blocks(const struct warmup_run runs[], size_t n,
                            double scratch[], double factor[])
{
    size_t blocks = 0;
    for (size_t i = 0, k; i < n; i += k) {
        for (k = 0; i + k < n && runs[i + k].place == runs[i].place; k++)
            scratch[k] = runs[i + k].log_factor;
        factor[blocks++] = reals_median(scratch, k);
    }
    return blocks;
}

/* Are the first k of factor[n] all far above the rest, and the next is not? */
static bool is_above(const double factor[], size_t n, size_t k,
                     double scratch[], double *rest)
{
    const double far = 5;
    size_t size = (n - k) * sizeof *factor;
    memcpy(scratch, factor + k, size);
    *rest = reals_median(scratch, n - k);
    double sigma = robust_sigma(scratch, n - k, *rest);
    size_t above = 0;
    while (above < n && sigma > 0 && factor[above] > *rest + far * sigma)
        above++;
    return above == k;
}

int warmup_find(struct warmup_run runs[], size_t n, struct warmup *out)
{
    *out = (struct warmup){0, NAN};
    double *factor = malloc((n ? n : 1) * sizeof *factor), rest;
    double *scratch = malloc((n ? n : 1) * sizeof *scratch);
    int err = factor && scratch ? 0 : ENOMEM;
    if (err || n == 0)
        goto out;
    qsort(runs, n, sizeof *runs, order_runs);
    size_t blocks = reduce_blocks(runs, n, scratch, factor);
    for (size_t k = blocks < WARMUP_FEW ? 0 : blocks / 4; k > 0; k--) {
        if (!is_above(factor, blocks, k, scratch, &rest))
            continue;
        out->blocks = (uint32_t)k;
        out->by = expm1(reals_median(factor, k) - rest);
        break;
    }
out:
    free(scratch);
    free(factor);
    return err;
}

/* Sessions by name, which begins with the date; blocks within them. */
static uint64_t place_of(const struct cells *cells, const struct sample *s)
{
    uint64_t before = 0;
    for (size_t i = 0; i < cells->sessions; i++)
        before += strcmp(cells->session[i], cells->session[s->session - 1]) < 0;
    return before << 32 | s->block;
}

int warmup_of_arms(const struct cells *cells, const struct cell *const arm[],
                   size_t n, struct warmup *out)
{
    size_t all = 0, m = 0;
    for (size_t i = 0; i < n; i++)
        all += arm[i]->n;
    struct warmup_run *runs = malloc((all ? all : 1) * sizeof *runs);
    if (!runs)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < arm[i]->n; k++) {
            const struct sample *s = &arm[i]->samples[k];
            double factor = s->value / arm[i]->estimate.median.value;
            if (s->value > 0 && factor > 0 && isfinite(factor))
                runs[m++] =
                    (struct warmup_run){place_of(cells, s), log(factor)};
        }
    }
    int err = warmup_find(runs, m == all ? m : 0, out);
    free(runs);
    return err;
}
