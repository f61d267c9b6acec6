/* stop_rule.c - when a bench has measured enough.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stop_rule.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "meter.h"
#include "ticks.h"

/* ---- precision ---- */

static int is_time_ratio(const struct summary *s, const struct estimate *e)
{
    return meter_is(e->key.meter, "time") &&
           !strcmp(e->metric, "wall_per_op") && !e->at[0] &&
           strcmp(e->key.allocator, s->baseline) != 0 &&
           strcmp(e->key.allocator, "null") != 0 && isfinite(e->ratio.value);
}

void precision_of(const struct summary *s, struct precision *out)
{
    *out = (struct precision){0};
    for (size_t i = 0; i < s->n; i++) {
        const struct estimate *e = &s->estimates[i];

        if (!is_time_ratio(s, e))
            continue;
        double width = 0.5 * (e->ratio.hi - e->ratio.lo) / e->ratio.value;

        if (!out->ratios || e->pairs < out->pairs)
            out->pairs = e->pairs;
        if (!out->ratios++ || width > out->widest) {
            out->widest = width;
            out->threads = e->key.threads;
            snprintf(out->allocator, sizeof out->allocator, "%s",
                     e->key.allocator);
            snprintf(out->workload, sizeof out->workload, "%s",
                     e->key.workload);
        }
    }
}

static int look(struct stop_rule *r)
{
    struct summary summary;
    char why[512];

    if (summary_from_samples(r->samples, r->baseline, &summary, why,
                             sizeof why))
        return -1; /* who reports will say so */
    precision_of(&summary, &r->reached);
    summary_free(&summary);
    return 0;
}

/* After every block at first, then after every second, third, …: that costs
 * less time, and looking less often makes for better intervals. */
static int is_due(uint32_t block)
{
    return block >= STAT_FEW && block % (block / 20 + 1) == 0;
}

static enum stop_reason judge_precision(struct stop_rule *r)
{
    if (look(r))
        return STOP_NOT;
    if (!r->reached.ratios)
        return STOP_NO_RATIO;
    return r->reached.pairs >= STAT_FEW && r->reached.widest <= r->precision
               ? STOP_PRECISION
               : STOP_NOT;
}

/* ---- budget ---- */

static size_t runs_of_block(const struct plan *plan, uint32_t block)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n; i++)
        n += plan->runs[i].block == block;
    return n;
}

/* Whether the next block would end after the budget, if its runs take as long
 * as those before: blocks differ in their number of runs. */
static int is_used_up(const struct stop_rule *r, uint32_t block, size_t done)
{
    double spent = (double)(clock_wall_ns() - r->begin_ns) * 1e-9;
    double next =
        done ? spent / (double)done * (double)runs_of_block(r->plan, block + 1)
             : 0;

    return spent + next > r->budget_s;
}

int stop_rule_is_set(const struct stop_rule *r)
{
    return r->precision > 0 || r->budget_s > 0;
}

int stop_rule_after_block(struct stop_rule *r, uint32_t block, size_t done)
{
    int is_last = block == r->plan->runs[r->plan->n - 1].block;
    int has_looked = 0;

    r->block = block;
    r->reason = STOP_NOT;
    if (!stop_rule_is_set(r))
        return 0;
    if (r->precision > 0 && (is_due(block) || is_last)) {
        r->reason = judge_precision(r);
        has_looked = 1;
    }
    if (r->reason == STOP_NOT && r->budget_s && !is_last &&
        is_used_up(r, block, done))
        r->reason = STOP_BUDGET;
    if (!has_looked && (r->reason != STOP_NOT || is_last))
        (void)look(r); /* to tell what was reached */
    return r->reason != STOP_NOT;
}

/* ---- words ---- */

int stop_rule_check(const struct stop_rule *r, char *why, size_t why_size)
{
    int base = 0, other = 0;

    if (r->precision <= 0)
        return 0;
    for (size_t i = 0; i < r->plan->n; i++) {
        const struct plan_run *run = &r->plan->runs[i];
        int is_base = !strcmp(run->allocator, r->baseline);

        if (!meter_is(run->meter, "time"))
            continue;
        base |= is_base;
        other |= !is_base && strcmp(run->allocator, "null") != 0;
    }
    if (base && other)
        return 0;
    snprintf(why, why_size,
             "--precision = %g%% (want meter time with the baseline %.100s and "
             "another allocator: it is that of their ratio)",
             r->precision * 100, r->baseline);
    return EINVAL;
}

static void tell_reached(const struct stop_rule *r, FILE *to)
{
    const struct precision *p = &r->reached;

    if (!p->ratios)
        return;
    fprintf(to, "; widest ratio interval +-%.2g %% (%s on %s", p->widest * 100,
            p->allocator, p->workload);
    if (p->threads > 1)
        fprintf(to, ", %u threads", p->threads);
    fprintf(to, ")%s",
            p->pairs < STAT_FEW ? "; 95 % needs 6 blocks or more" : "");
}

void stop_rule_tell(const struct stop_rule *r, const char *verb, FILE *to)
{
    const char *s = r->block == 1 ? "" : "s";

    if (!stop_rule_is_set(r) || !r->block)
        return;
    fprintf(to, "%s: ", verb);
    if (r->reason == STOP_PRECISION)
        fprintf(to, "stopped after %u block%s: all ratios within %g %%",
                r->block, s, r->precision * 100);
    else if (r->reason == STOP_NO_RATIO)
        fprintf(to, "stopped after %u block%s: no time ratio to %s came about",
                r->block, s, r->baseline);
    else if (r->reason == STOP_BUDGET)
        fprintf(to, "budget of %u s used: %u block%s", r->budget_s, r->block,
                s);
    else
        fprintf(to, "all %u block%s done", r->block, s);
    tell_reached(r, to);
    fputc('\n', to);
}

void stop_rule_options(const struct stop_rule *r, char *out, size_t size)
{
    int n = 0;

    out[0] = 0;
    if (r->precision > 0)
        n = snprintf(out, size, " --precision %g%%", r->precision * 100);
    if (r->budget_s && n >= 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, " --budget %us", r->budget_s);
}
