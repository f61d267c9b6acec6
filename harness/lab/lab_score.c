/* lab_score.c - the points that the courses give for a malloc lab solution.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lab_score.h"

#include <math.h>

static const struct formula {
    const char *name, *text;
    double space_from, space_to; /* utilization */
    double speed_from, speed_to; /* Kops/s */
    double space_share;          /* of the points */
    double align;                /* bytes */
    bool has_weights, is_geometric;
} formulas[LAB_FORMULAS] = {
    [LAB_3E] = {.name = "3e",
                .text = "60 % utilization, 40 % speed up to 600 Kops/s",
                .space_to = 1,
                .speed_to = 600,
                .space_share = .60,
                .align = 8},
    [LAB_2004] = {.name = "2004",
                  .text = "61 % utilization .60-.92, 39 % speed 3-13 Mops/s",
                  .space_from = .60,
                  .space_to = .92,
                  .speed_from = 3000,
                  .speed_to = 13000,
                  .space_share = .61,
                  .align = 8,
                  .has_weights = true},
    [LAB_2016] = {.name = "2016",
                  .text = "50 % utilization .55-.75, 50 % 10.5-18.5 Mops/s",
                  .space_from = .55,
                  .space_to = .75,
                  .speed_from = 10500,
                  .speed_to = 18500,
                  .space_share = .50,
                  .align = 16,
                  .has_weights = true,
                  .is_geometric = true},
};

const char *lab_formula_name(enum lab_formula f)
{
    return formulas[f].name;
}

const char *lab_formula_text(enum lab_formula f)
{
    return formulas[f].text;
}

static double ramp(double x, double from, double to)
{
    const double y = (x - from) / (to - from);

    return isnan(y) || y < 0 ? 0 : y > 1 ? 1 : y;
}

static bool counts(const struct formula *f, const struct lab_trial *t,
                   enum lab_weight what)
{
    return !f->has_weights || t->weight == LAB_BOTH || t->weight == what;
}

static double mean_utilization(const struct formula *f,
                               const struct lab_trial trial[], size_t n)
{
    double sum = 0, count = 0;

    for (size_t i = 0; i < n; i++)
        if (counts(f, &trial[i], LAB_SPACE)) {
            sum += trial[i].utilization;
            count++;
        }
    return count > 0 ? sum / count : NAN;
}

static double throughput(const struct formula *f,
                         const struct lab_trial trial[], size_t n)
{
    double ops = 0, seconds = 0, logs = 0, count = 0;

    for (size_t i = 0; i < n; i++)
        if (counts(f, &trial[i], LAB_SPEED)) {
            ops += trial[i].ops;
            seconds += trial[i].seconds;
            logs += log(trial[i].ops / trial[i].seconds);
            count++;
        }
    if (count == 0)
        return NAN;
    return (f->is_geometric ? exp(logs / count) : ops / seconds) / 1000;
}

static const char *why_zero(const struct formula *f,
                            const struct lab_trial trial[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!trial[i].is_valid)
            return "not all traces are right";
    for (size_t i = 0; i < n; i++)
        if (trial[i].align < f->align)
            return "blocks must be 16-byte aligned";
    return n ? NULL : "no trace";
}

struct lab_score lab_score_of(enum lab_formula formula,
                              const struct lab_trial trial[], size_t n)
{
    const struct formula *const f = &formulas[formula];
    struct lab_score s = {
        .zero = why_zero(f, trial, n), .utilization = NAN, .kops = NAN};

    for (size_t i = 0; i < n; i++)
        if (!trial[i].is_valid)
            return s;
    s.utilization = mean_utilization(f, trial, n);
    s.kops = throughput(f, trial, n);
    if (!s.zero && (isnan(s.utilization) || isnan(s.kops)))
        s.zero = "the weights leave no trace to count";
    if (!s.zero)
        s.points =
            100 *
            (f->space_share * ramp(s.utilization, f->space_from, f->space_to) +
             (1 - f->space_share) * ramp(s.kops, f->speed_from, f->speed_to));
    return s;
}
