/* judge.c - a candidate's figures against a baseline's: the verdicts.
 *
 * "Worse" is one direction of the log-ratio: up where less is better, down
 * where more is.  A margin m stands for a factor of 1 + m either way, so that
 * swapping the sides swaps the verdict.
 *
 * Invariant: every judged cell has a sentence in why.
 *
 * Sources: margin tests and equivalence by two one-sided tests: D. J.
 * Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15(6), 1987; the
 * family: S. Holm, Scandinavian J. of Statistics 6(2), 1979.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "judge.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"
#include "robust.h"

enum { POWER_PERCENT = 80 };

static const struct interval no_interval = {NAN, NAN, NAN};

void judge_refuse(struct gate_cell *cell, const char *format, ...)
{
    va_list args;

    cell->verdict = GATE_REFUSED;
    cell->p = cell->detectable = NAN;
    cell->ratio = no_interval;
    va_start(args, format);
    vsnprintf(cell->why, sizeof cell->why, format, args);
    va_end(args);
}

/* ---- counts ---- */

static int median_of(const double x[], size_t n, double *out)
{
    double *sorted = malloc(n * sizeof *sorted);

    if (!sorted)
        return ENOMEM;
    memcpy(sorted, x, n * sizeof *sorted);
    *out = reals_median(sorted, n);
    free(sorted);
    return 0;
}

static int is_count(double x)
{
    return isfinite(x) && x >= 0;
}

static void explain_exact(struct gate_cell *c, const char *what)
{
    double percent = 100 * (c->ratio.value - 1);

    if (c->base == 0)
        snprintf(c->why, sizeof c->why, "%s: was 0, is %.10g", what,
                 c->candidate);
    else
        snprintf(c->why, sizeof c->why,
                 "%s: %.10g to %.10g is %+.3g %% (margin %.3g %%)", what,
                 c->base, c->candidate, percent, 100 * c->margin);
}

/* How much worse, as a factor above 1; below 1: better. */
static double worse_by(const struct gate_cell *c)
{
    return c->less_is_better ? c->candidate / c->base : c->base / c->candidate;
}

/* The largest factor within the margin: 107 is 7 % more than 100, though 1.07
 * is less than 107.0 / 100 in binary. */
static double largest_within(double margin)
{
    return margin > 0 ? (1 + margin) * (1 + 1e-12) : 1;
}

int judge_exact(struct gate_cell *c, const double base[], size_t nbase,
                const double candidate[], size_t ncandidate)
{
    int err = median_of(base, nbase, &c->base);

    if (!err)
        err = median_of(candidate, ncandidate, &c->candidate);
    if (err)
        return err;
    c->p = c->detectable = NAN;
    c->pairs = (uint32_t)(nbase < ncandidate ? nbase : ncandidate);
    c->ratio = no_interval;
    if (!is_count(c->base) || !is_count(c->candidate)) {
        judge_refuse(c, "a figure is below 0 or not a number: no count is");
        return 0;
    }
    if (c->base == c->candidate) {
        c->verdict = GATE_UNCHANGED;
        if (c->base > 0)
            c->ratio = (struct interval){1, 1, 1};
        snprintf(c->why, sizeof c->why, "the same: %.10g", c->base);
        return 0;
    }
    if (c->base > 0) {
        double r = c->candidate / c->base;

        c->ratio = (struct interval){r, r, r};
    }
    double by = worse_by(c); /* may be infinite: then it decides too */
    double limit = largest_within(c->margin);

    c->verdict = by > limit       ? GATE_REGRESSED
                 : 1 / by > limit ? GATE_IMPROVED
                                  : GATE_UNCHANGED;
    explain_exact(c, c->verdict == GATE_UNCHANGED  ? "within the margin"
                     : c->verdict == GATE_IMPROVED ? "better"
                                                   : "worse");
    return 0;
}

/* ---- pairs ---- */

/* Log-ratios, turned so that up is worse.  NULL if memory is short or a value
 * has no logarithm. */
static double *worse_logs(const struct gate_cell *c)
{
    double *x = malloc((c->pairs + 1) * sizeof *x);

    for (uint32_t i = 0; x && i < c->pairs; i++) {
        double a = c->candidate_values[i], b = c->base_values[i];

        x[i] = c->less_is_better ? log(a / b) : log(b / a);
    }
    return x;
}

static int is_positive(const struct gate_cell *c)
{
    for (uint32_t i = 0; i < c->pairs; i++)
        if (!(c->base_values[i] > 0 && c->candidate_values[i] > 0))
            return 0;
    return c->pairs > 0;
}

static void put_ratio(struct gate_cell *c, const struct interval *log_worse)
{
    int up = c->less_is_better;

    c->ratio.value = exp(up ? log_worse->value : -log_worse->value);
    c->ratio.lo = exp(up ? log_worse->lo : -log_worse->hi);
    c->ratio.hi = exp(up ? log_worse->hi : -log_worse->lo);
}

/* What a look finds of one cell before the family is known. */
struct finding {
    double worse, better; /* p-values against the margin */
    double not_worse, not_better;
};

/* level: of the look; m: cells of the family, by which Holm's method divides
 * the level for the first of them to be called out of the margin. */
static int examine(struct gate_cell *c, double level, size_t m,
                   struct finding *f)
{
    struct interval centre;
    double margin = log1p(c->margin);
    double *x = worse_logs(c);
    int err = x ? paired_centre(x, c->pairs, 0.95, &centre) : ENOMEM;

    if (!err)
        err = median_of(c->base_values, c->pairs, &c->base);
    if (!err)
        err = median_of(c->candidate_values, c->pairs, &c->candidate);
    if (!err) {
        double distance = margin - fabs(centre.value);
        double beyond = level / (double)m;

        put_ratio(c, &centre);
        f->worse = paired_p_above(x, c->pairs, margin);
        f->better = paired_p_below(x, c->pairs, -margin);
        f->not_worse = paired_p_below(x, c->pairs, margin);
        f->not_better = paired_p_above(x, c->pairs, -margin);
        c->detectable = expm1(margin + paired_detectable(x, c->pairs, beyond,
                                                         POWER_PERCENT / 100.));
        c->needed = (uint32_t)paired_needed(x, c->pairs, fabs(distance),
                                            distance < 0 ? beyond : level,
                                            POWER_PERCENT / 100.);
        if (c->needed <= c->pairs) /* they were not enough */
            c->needed = 0;
    }
    free(x);
    return err;
}

static void decide(struct gate_cell *c, const struct finding *f, double level)
{
    double both = f->not_worse > f->not_better ? f->not_worse : f->not_better;

    c->p = f->worse < f->better ? f->worse : f->better;
    if (f->worse <= level)
        c->verdict = GATE_REGRESSED;
    else if (f->better <= level)
        c->verdict = GATE_IMPROVED;
    else if (both <= level) {
        c->verdict = GATE_UNCHANGED;
        c->p = both;
    }
}

static void explain_pairs(struct gate_cell *c)
{
    static const char *const words[GATE_VERDICTS] = {
        [GATE_IMPROVED] = "better by more than the margin",
        [GATE_UNCHANGED] = "within the margin on both sides",
        [GATE_REGRESSED] = "worse by more than the margin",
        [GATE_UNDECIDED] = "neither within the margin nor beyond it for sure",
    };
    char interval[48] = "";

    if (isfinite(c->ratio.hi) && c->ratio.lo > 0)
        snprintf(interval, sizeof interval, " [%+.2f, %+.2f]",
                 100 * (c->ratio.lo - 1), 100 * (c->ratio.hi - 1));
    int n = snprintf(c->why, sizeof c->why,
                     "%s: %+.2f %%%s in %u pairs (margin %.3g %%, p = %.2g)",
                     *interval ? words[c->verdict]
                               : "too few pairs for an interval",
                     100 * (c->ratio.value - 1), interval, (unsigned)c->pairs,
                     100 * c->margin, c->p);

    if (c->verdict == GATE_UNDECIDED && c->needed && n > 0 &&
        (size_t)n < sizeof c->why)
        snprintf(c->why + n, sizeof c->why - (size_t)n,
                 "; about %u pairs would decide", (unsigned)c->needed);
}

static int look_at(struct gate_cell *cells[], struct finding f[], size_t m,
                   double level)
{
    int err = 0;

    for (size_t i = 0; i < m && !err; i++) {
        f[i] = (struct finding){NAN, NAN, NAN, NAN};
        if (cells[i]->verdict == GATE_REFUSED || !cells[i]->pairs)
            continue;
        if (is_positive(cells[i]))
            err = examine(cells[i], level, m, &f[i]);
        else if (cells[i]->verdict == GATE_UNDECIDED)
            judge_refuse(cells[i], "a value is 0 or less: it has no ratio");
    }
    return err;
}

/* One direction at a time is one family: the promise is about regressions. */
static int adjust(struct finding f[], size_t m)
{
    double *p = malloc(2 * m * sizeof *p);
    int err = p ? 0 : ENOMEM;

    for (size_t i = 0; i < m && !err; i++) {
        p[i] = f[i].worse;
        p[m + i] = f[i].better;
    }
    if (!err)
        err = holm_adjust(p, m);
    if (!err)
        err = holm_adjust(p + m, m);
    for (size_t i = 0; i < m && !err; i++) {
        f[i].worse = p[i];
        f[i].better = p[m + i];
    }
    free(p);
    return err;
}

int judge_look(struct gate_cell *cells[], size_t m, double level)
{
    struct finding *f = malloc((m + 1) * sizeof *f);
    int err = f ? look_at(cells, f, m, level) : ENOMEM;

    if (!err && m)
        err = adjust(f, m);
    for (size_t i = 0; i < m && !err; i++) {
        struct gate_cell *c = cells[i];

        if (c->verdict != GATE_UNDECIDED || !c->pairs)
            continue;
        decide(c, &f[i], level);
        explain_pairs(c);
    }
    free(f);
    return err;
}
