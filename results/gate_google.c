/* gate_google.c - the report as JSON of google/benchmark.
 *
 * A benchmark is a cell in ns, its repetitions are the samples of the
 * candidate, and its median is an aggregate.  What is not a time is left out:
 * the format's figures are times.  So is what the report does not know of the
 * machine (its schema has counts of CPUs and caches).
 *
 * Source: github.com/google/benchmark, src/json_reporter.cc (members and
 * their order), docs/user_guide.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "gate_json.h"
#include "gate_text.h"

/* One benchmark, and how many of its values are there. */
struct family {
    const struct gate_cell *cell;
    int index, repetitions;
    char name[GATE_TEXT];
};

static json_t *make_run(const struct family *f, int repetition, double ns)
{
    return json_pack(
        "{s:s, s:i, s:i, s:s, s:s, s:i, s:i, s:I, s:i, s:f, s:f, s:s}", "name",
        f->name, "family_index", f->index, "per_family_instance_index", 0,
        "run_name", f->name, "run_type", "iteration", "repetitions",
        f->repetitions, "repetition_index", repetition, "threads",
        (json_int_t)f->cell->key.threads, "iterations", 1, "real_time", ns,
        "cpu_time", ns, "time_unit", "ns");
}

static json_t *make_median(const struct family *f)
{
    char name[GATE_TEXT + sizeof "_median"];
    double ns = f->cell->candidate;
    snprintf(name, sizeof name, "%s_median", f->name);
    return json_pack(
        "{s:s, s:i, s:i, s:s, s:s, s:i, s:I, s:s, s:s, s:i, s:f, s:f, s:s}",
        "name", name, "family_index", f->index, "per_family_instance_index", 0,
        "run_name", f->name, "run_type", "aggregate", "repetitions",
        f->repetitions, "threads", (json_int_t)f->cell->key.threads,
        "aggregate_name", "median", "aggregate_unit", "time", "iterations",
        f->repetitions, "real_time", ns, "cpu_time", ns, "time_unit", "ns");
}

static int add_family(json_t *list, struct family *f)
{
    size_t n;
    const double *values = gate_candidate_values(f->cell, &n);
    f->repetitions = 0;
    for (size_t i = 0; i < n; i++)
        f->repetitions += isfinite(values[i]) != 0;
    int repetition = 0, failed = 0;
    for (size_t i = 0; i < n && !failed; i++)
        if (isfinite(values[i]))
            failed = json_array_append_new(
                list, make_run(f, repetition++, values[i]));
    if (!failed && f->repetitions > 1 && isfinite(f->cell->candidate))
        failed = json_array_append_new(list, make_median(f));
    if (f->repetitions)
        f->index++;
    return failed ? ENOMEM : 0;
}

static json_t *make_context(const struct gate_report *r)
{
    char machine[GATE_TEXT], base[GATE_TEXT], candidate[GATE_TEXT],
        date[GATE_TEXT];
    gate_text_clean(r->machine, machine, sizeof machine);
    gate_text_clean(r->base_name, base, sizeof base);
    gate_text_clean(r->candidate_name, candidate, sizeof candidate);
    gate_text_clean(r->date, date, sizeof date);
    return json_pack("{s:s, s:s, s:s, s:[], s:i, s:s, s:s}", "date", date,
                     "host_name", machine, "executable", "heapyard", "caches",
                     "json_schema_version", 1, "baseline", base, "candidate",
                     candidate);
}

int gate_google_write(const struct gate_report *r, FILE *f)
{
    struct family family = {0};
    json_t *list = json_array();
    int err = list ? 0 : ENOMEM;
    for (size_t i = 0; i < r->n && !err; i++) {
        if (strcmp(r->cells[i].unit, "ns"))
            continue;
        family.cell = &r->cells[i];
        gate_text_name(r, family.cell, family.name);
        err = add_family(list, &family);
    }
    if (err) {
        json_decref(list);
        return err;
    }
    json_t *root = json_pack("{s:o, s:o}", "context", make_context(r),
                             "benchmarks", list); /* takes both */
    return gate_json_write(root, f);
}
