/* gate_bencher.c - the report in Bencher Metric Format: the medians of the
 * candidate, with their intervals.
 *
 * A benchmark is a workload x threads x allocator (at a mark); its measures
 * are the metrics.
 *
 * Source: bencher.dev, docs/reference/bencher-metric-format.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <errno.h>
#include <math.h>

#include "gate_json.h"
#include "gate_text.h"

/* The measures of a benchmark, made if it is not there; borrowed. */
static json_t *find_benchmark(json_t *root, const char *name)
{
    json_t *measures = json_object_get(root, name);
    if (!measures && !json_object_set_new(root, name, json_object()))
        measures = json_object_get(root, name);
    return measures;
}

static int add_cell(const struct gate_report *r, const struct gate_cell *c,
                    json_t *root)
{
    char place[GATE_TEXT], metric[sizeof c->metric];
    struct interval median;
    int err = gate_json_interval(c, &median);
    if (err)
        return err;
    gate_text_place(r, c, place);
    gate_text_clean(c->metric, metric, sizeof metric);
    json_t *o =
        isfinite(median.lo)
            ? json_pack("{s:f, s:f, s:f}", "value", median.value, "lower_value",
                        median.lo, "upper_value", median.hi)
            : json_pack("{s:f}", "value", median.value);
    return json_object_set_new(find_benchmark(root, place), metric, o) ? ENOMEM
                                                                       : 0;
}

int gate_bencher_write(const struct gate_report *r, FILE *f)
{
    json_t *root = json_object();
    int err = root ? 0 : ENOMEM;
    for (size_t i = 0; i < r->n && !err; i++)
        if (isfinite(r->cells[i].candidate))
            err = add_cell(r, &r->cells[i], root);
    if (err) {
        json_decref(root);
        return err;
    }
    return gate_json_write(root, f);
}
