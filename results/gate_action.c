/* gate_action.c - the report for github-action-benchmark, as its
 * customSmallerIsBetter: the medians of the candidate.
 *
 * Metrics of which more is better are left out: the tool would chart and
 * judge them upside down.
 *
 * Source: github.com/benchmark-action/github-action-benchmark, README, "tool".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <errno.h>
#include <math.h>

#include "columns.h"
#include "gate_json.h"
#include "gate_text.h"

static int add_cell(const struct gate_report *r, const struct gate_cell *c,
                    json_t *list)
{
    char name[GATE_TEXT], unit[24], extra[GATE_TEXT + 16];
    char figures[GATE_TEXT], lo[48], hi[48], range[128];
    struct interval median;
    int err = gate_json_interval(c, &median);
    if (err)
        return err;
    gate_text_name(r, c, name);
    gate_text_clean(c->unit, unit, sizeof unit);
    gate_text_figures(c, figures);
    snprintf(extra, sizeof extra, "%s: %s", gate_verdict_name(c->verdict),
             figures);
    json_t *o = json_pack("{s:s, s:s, s:f, s:s}", "name", name, "unit", unit,
                          "value", median.value, "extra", extra);
    int failed = json_array_append(list, o);
    if (!failed && isfinite(median.lo)) {
        real_format(median.lo, lo, sizeof lo);
        real_format(median.hi, hi, sizeof hi);
        snprintf(range, sizeof range, "%s to %s", lo, hi);
        failed = json_object_set_new(o, "range", json_string(range));
    }
    json_decref(o);
    return failed ? ENOMEM : 0;
}

int gate_action_write(const struct gate_report *r, FILE *f)
{
    json_t *list = json_array();
    int err = list ? 0 : ENOMEM;
    for (size_t i = 0; i < r->n && !err; i++)
        if (r->cells[i].less_is_better && isfinite(r->cells[i].candidate))
            err = add_cell(r, &r->cells[i], list);
    if (err) {
        json_decref(list);
        return err;
    }
    return gate_json_write(list, f);
}
