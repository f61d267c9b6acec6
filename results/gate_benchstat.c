/* gate_benchstat.c - the report as Go benchmark results, a line a sample.
 *
 * Both sides stand in one file; names differ in /side, so
 * `benchstat -col /side FILE` compares them.  A unit is a metric and its unit,
 * "wall-ns": two metrics in ns must not be taken for one.
 *
 * Names: bytes that the format gives a meaning, or that are not graphic ASCII,
 * stand as %XX, so that two cells never share a name.
 *
 * Source: Go proposal 14313, "Go benchmark data format"; its reader,
 * golang.org/x/perf/benchfmt (units: `Unit NAME key=value`).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "columns.h"
#include "gate_text.h"

/* A slash begins a part of a name, a per cent sign one of our escapes. */
static void put_escaped(FILE *f, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c >= 0x7f || c == '/' || c == '%')
            fprintf(f, "%%%02X", (unsigned)c);
        else
            putc(c, f);
    }
}

static void put_part(FILE *f, const char *key, const char *text)
{
    fprintf(f, "/%s=", key);
    put_escaped(f, text);
}

/* The part of threads is the last: a name that ended in "-8" would be taken
 * for one with GOMAXPROCS=8. */
static void put_name(const struct gate_cell *c, const char *side, FILE *f)
{
    char scale[48];
    real_format(c->key.scale, scale, sizeof scale);
    fputs("BenchmarkHeapyard", f);
    put_part(f, "workload", c->key.workload);
    put_part(f, "alloc", c->key.allocator);
    if (c->key.touch[0])
        put_part(f, "touch", c->key.touch);
    if (c->key.window)
        fprintf(f, "/window=%" PRIu32, c->key.window);
    put_part(f, "scale", scale);
    if (c->at[0])
        put_part(f, "at", c->at);
    put_part(f, "side", side);
    fprintf(f, "/threads=%" PRIu32, c->key.threads);
}

static void put_unit(const struct gate_cell *c, FILE *f)
{
    bool has_unit = strcmp(c->unit, "1") && strcmp(c->unit, "ratio");
    put_escaped(f, c->metric[0] ? c->metric : "value");
    if (has_unit && c->unit[0]) {
        putc('-', f);
        put_escaped(f, c->unit);
    }
}

static void put_samples(const struct gate_cell *c, const char *side,
                        const double values[], size_t n, FILE *f)
{
    char number[48];
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            continue;
        real_format(values[i], number, sizeof number);
        put_name(c, side, f);
        fprintf(f, "\t1\t%s ", number);
        put_unit(c, f);
        putc('\n', f);
    }
}

static bool is_same_unit(const struct gate_cell *x, const struct gate_cell *y)
{
    return !strcmp(x->metric, y->metric) && !strcmp(x->unit, y->unit);
}

/* One line a unit, at the first cell that has it; exact if all are. */
static void put_unit_line(const struct gate_report *r, size_t at, FILE *f)
{
    const struct gate_cell *c = &r->cells[at];
    bool is_exact = true;
    for (size_t i = 0; i < r->n; i++) {
        if (!is_same_unit(&r->cells[i], c))
            continue;
        if (i < at)
            return;
        is_exact = is_exact && r->cells[i].tier == GATE_EXACT;
    }
    fputs("Unit ", f);
    put_unit(c, f);
    fprintf(f, " better=%s%s\n", c->less_is_better ? "lower" : "higher",
            is_exact ? " assume=exact" : "");
}

static void put_configuration(FILE *f, const char *key, const char *text)
{
    char clean[GATE_TEXT];
    gate_text_clean(text, clean, sizeof clean);
    if (clean[0])
        fprintf(f, "%s: %s\n", key, clean);
}

int gate_benchstat_write(const struct gate_report *r, FILE *f)
{
    size_t n;
    put_configuration(f, "baseline", r->base_name);
    put_configuration(f, "candidate", r->candidate_name);
    put_configuration(f, "machine", r->machine);
    put_configuration(f, "date", r->date);
    for (size_t i = 0; i < r->n; i++)
        put_unit_line(r, i, f);
    for (size_t i = 0; i < r->n; i++) {
        const double *values = gate_base_values(&r->cells[i], &n);
        put_samples(&r->cells[i], "baseline", values, n, f);
    }
    for (size_t i = 0; i < r->n; i++) {
        const double *values = gate_candidate_values(&r->cells[i], &n);
        put_samples(&r->cells[i], "candidate", values, n, f);
    }
    return gate_text_end(f);
}
