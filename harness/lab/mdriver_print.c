/* mdriver_print.c - the report of `heapyard mdriver`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* basename of string.h */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab_map.h"
#include "mdriver.h"

enum { NAME_SHOWN = 17, MAP_LINES = 16 };

static bool is_ok(const struct mdriver *m, size_t t, size_t a)
{
    return mdriver_cell(m, t, a)->outcome.status == STATUS_OK;
}

/* ---- what went wrong ---- */

/* What the child says, without what is said better here. */
static void print_note(const char *note, FILE *f)
{
    static const char where[] = "thread 0, record ";
    const char *const near = strstr(note, " near operation ");
    const char *const colon = strstr(note, ": ");

    if (!strncmp(note, where, strlen(where)) && colon)
        fprintf(f, "    %s\n", colon + 2);
    else if (near)
        fprintf(f, "    %.*s%s\n", (int)(near - note) - (near[-1] == ';'), note,
                near + strcspn(near, ":"));
    else
        fprintf(f, "    %s\n", note);
}

static void print_fault(const struct mdriver *m, size_t t, FILE *f)
{
    const struct outcome *const o = &mdriver_cell(m, t, 0)->outcome;
    const struct lab_trace *const trace = &m->trace[t];
    char text[LAB_LINE_SIZE];

    fprintf(f, "%s: %s", trace->name, status_name(o->status));
    if (strstr(o->note, "before the replay") || strstr(o->note, "open a heap"))
        fprintf(f, " in mm_init");
    else if (strstr(o->note, "after the replay") ||
             strstr(o->note, "later pass"))
        fprintf(f, " in a later, timed pass: the first one was right");
    else if (o->place >= trace->n)
        fprintf(f, " after the last operation");
    else {
        lab_trace_text(trace, trace->line[o->place], text);
        fprintf(f, " at operation %llu of %zu, line %llu: %s",
                (unsigned long long)o->place + 1, trace->n,
                (unsigned long long)trace->line[o->place], text);
    }
    fputc('\n', f);
    print_note(o->note, f);
}

static void print_faults(const struct mdriver *m, FILE *f)
{
    for (size_t t = 0; t < m->ntraces; t++)
        if (!is_ok(m, t, 0))
            print_fault(m, t, f);
    if (m->low)
        fprintf(f,
                "%s passes if the heap lies below 4 GiB (%s:low=on): this "
                "solution keeps\naddresses in 32 bits, and this is a 64-bit "
                "build.\n",
                m->low, m->solution);
    if (!mdriver_is_right(m))
        fputc('\n', f);
}

/* ---- the traces ---- */

static void print_share(double bytes, double of, FILE *f)
{
    if (isnan(bytes) || !(of > 0))
        fprintf(f, " %5s", "-");
    else
        fprintf(f, " %5.1f", 100 * bytes / of);
}

static void print_trace(const struct mdriver *m, size_t t, FILE *f)
{
    static const char *const lost[] = {"lost_fixed",   "lost_headers",
                                       "lost_padding", "lost_holes",
                                       "lost_tail",    "lost_later"};
    const struct mdriver_cell *const c = mdriver_cell(m, t, 0);
    const double heap = mdriver_value(c, "heap_end", "");

    fprintf(f, "%-*.*s %-7s %6zu", NAME_SHOWN, NAME_SHOWN, m->trace[t].name,
            status_name(c->outcome.status), m->trace[t].n);
    if (!is_ok(m, t, 0)) {
        fputc('\n', f);
        return;
    }
    fprintf(f, " %7.0f %5.1f", heap / 1024,
            100 * mdriver_value(c, "utilization", ""));
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        print_share(mdriver_value(c, lost[i], "mark:peak"), heap, f);
    fputc('\n', f);
}

static void print_traces(const struct mdriver *m, FILE *f)
{
    fprintf(f, "%-*s %6s %7s %5s of the heap lost to\n", NAME_SHOWN + 8, "",
            "oper-", "heap", "used");
    fprintf(f, "%-*s %6s %7s %5s %5s %5s %5s %5s %5s %5s\n", NAME_SHOWN + 8,
            "trace", "ations", "KiB", "%", "fixed", "heads", "pads", "holes",
            "tail", "later");
    for (size_t t = 0; t < m->ntraces; t++)
        print_trace(m, t, f);
    fputc('\n', f);
    for (size_t t = 0; t < m->ntraces; t++)
        if (m->trace[t].faults)
            fprintf(f,
                    "%s: %llu lines do not fit and were left out or mended; "
                    "first line %s\n",
                    m->trace[t].name, (unsigned long long)m->trace[t].faults,
                    m->trace[t].first);
}

/* ---- the score ---- */

static void print_score(const struct mdriver *m, enum lab_formula formula,
                        const struct lab_trial trial[], FILE *f)
{
    const struct lab_score s = lab_score_of(formula, trial, m->ntraces);

    fprintf(f, "%-5s %5.1f of 100", lab_formula_name(formula), s.points);
    if (s.zero)
        fprintf(f, "  (%s)", s.zero);
    else
        fprintf(f, "  used %.1f %%, %.0f Kops/s", 100 * s.utilization, s.kops);
    fprintf(f, "\n      %s\n", lab_formula_text(formula));
}

static void print_scores(const struct mdriver *m, FILE *f)
{
    struct lab_trial *const trial = calloc(m->ntraces, sizeof *trial);

    for (size_t t = 0; trial && t < m->ntraces; t++) {
        const struct mdriver_cell *const c = mdriver_cell(m, t, 0);

        trial[t] = (struct lab_trial){
            .weight = m->trace[t].weight,
            .is_valid = is_ok(m, t, 0),
            .utilization = mdriver_value(c, "utilization", ""),
            .ops = mdriver_value(c, "ops", ""),
            .seconds = mdriver_value(c, "best_pass", "") / 1e9,
            .align = mdriver_value(c, "align", ""),
        };
    }
    fprintf(f, "score by the published formulas\n");
    for (int i = 0; trial && i < LAB_FORMULAS; i++)
        print_score(m, (enum lab_formula)i, trial, f);
    fputc('\n', f);
    free(trial);
}

/* ---- beside others ---- */

static void print_heads(const struct mdriver *m, const char *what, FILE *f)
{
    fprintf(f, "%-*s", NAME_SHOWN, what);
    for (size_t a = 0; a < m->nallocators; a++)
        fprintf(f, " %9.9s", basename(m->allocator[a]));
    fputc('\n', f);
}

static void print_metric(const struct mdriver *m, const char *what,
                         const char *metric, FILE *f)
{
    print_heads(m, what, f);
    for (size_t t = 0; t < m->ntraces; t++) {
        fprintf(f, "%-*.*s", NAME_SHOWN, NAME_SHOWN, m->trace[t].name);
        for (size_t a = 0; a < m->nallocators; a++) {
            const struct mdriver_cell *const c = mdriver_cell(m, t, a);
            const double value = mdriver_value(c, metric, "");

            if (c->outcome.status != STATUS_OK)
                fprintf(f, " %9s", status_name(c->outcome.status));
            else if (isnan(value))
                fprintf(f, " %9s", "-"); /* too few calls for it */
            else
                fprintf(f, " %9.*f", value < 100 ? 1 : 0, value);
        }
        fputc('\n', f);
    }
    fputc('\n', f);
}

static void print_memory_line(const struct mdriver *m, size_t t, FILE *f)
{
    fprintf(f, "%-*.*s", NAME_SHOWN, NAME_SHOWN, m->trace[t].name);
    for (size_t a = 0; a < m->nallocators; a++) {
        const struct mdriver_cell *const c = mdriver_cell(m, t, a);
        const double ratio = mdriver_value(c, "resident", "mark:peak") /
                             mdriver_value(c, "live_peak", "");

        if (isnan(ratio))
            fprintf(f, " %9s", "-");
        else
            fprintf(f, " %9.2f", ratio);
    }
    fputc('\n', f);
}

/* Bytes in memory for each byte asked for, where the heap is large enough that
 * whole pages can say something. */
static void print_memory(const struct mdriver *m, FILE *f)
{
    const double least = 256 * 1024;
    bool is_begun = false;

    for (size_t t = 0; t < m->ntraces; t++) {
        if (!(mdriver_value(mdriver_cell(m, t, 0), "live_peak", "") >= least))
            continue;
        if (!is_begun)
            print_heads(m, "in memory / live", f);
        is_begun = true;
        print_memory_line(m, t, f);
    }
    if (is_begun)
        fputc('\n', f);
}

/* The call that takes longest whenever it is made. */
static void print_worst(const struct mdriver *m, FILE *f)
{
    for (size_t t = 0; t < m->ntraces; t++) {
        const struct outcome *const o = &mdriver_cell(m, t, 0)->outcome;

        for (size_t i = 0; i < o->n; i++) {
            unsigned long long op;
            char text[LAB_LINE_SIZE];

            if (strcmp(o->values[i].metric, "call_worst") ||
                sscanf(o->values[i].at, "op:%llu", &op) != 1 || !op ||
                op > m->trace[t].n)
                continue;
            lab_trace_text(&m->trace[t], m->trace[t].line[op - 1], text);
            fprintf(f, "%-*.*s longest call: %.0f ns, line %llu: %s\n",
                    NAME_SHOWN, NAME_SHOWN, m->trace[t].name,
                    o->values[i].value,
                    (unsigned long long)m->trace[t].line[op - 1], text);
        }
    }
    fputc('\n', f);
}

/* Why others have no figures, once each. */
static void print_others_faults(const struct mdriver *m, FILE *f)
{
    for (size_t a = 1; a < m->nallocators; a++)
        for (size_t t = 0; t < m->ntraces; t++) {
            const struct outcome *const o = &mdriver_cell(m, t, a)->outcome;

            if (o->status == STATUS_OK)
                continue;
            fprintf(f, "%s: %s: %s\n", m->allocator[a], status_name(o->status),
                    o->note);
            break;
        }
}

/* ---- the maps ---- */

static char shade(const char *rows, size_t have, unsigned from, unsigned to)
{
    static const char shades[] = ".:-=+*%#@@";
    unsigned sum = 0, n = 0;

    for (unsigned r = from; r < to && r < have; r++) {
        sum += (unsigned)(rows[r] - '0');
        n++;
    }
    return n ? shades[(sum + n - 1) / n] : ' ';
}

static void print_map(const struct mdriver *m, size_t t, FILE *f)
{
    const struct mdriver_cell *const c = mdriver_cell(m, t, 0);
    const double row = mdriver_value(c, "map_row", "");
    unsigned most = 0;

    for (size_t i = 0; i < c->outcome.n; i++) {
        const struct outcome_value *const v = &c->outcome.values[i];
        const unsigned n = (unsigned)strlen(v->note);

        if (!strcmp(v->metric, "map") && n > most)
            most = n;
    }
    if (!most)
        return;
    const unsigned step = (most + MAP_LINES - 1) / MAP_LINES;

    fprintf(f, "%s: the heap over time, a line %.4g KiB of it\n",
            m->trace[t].name, row * step / 1024);
    for (unsigned top = (most + step - 1) / step; top-- > 0;) {
        fputs("  |", f);
        for (size_t i = 0; i < c->outcome.n; i++) {
            const struct outcome_value *const v = &c->outcome.values[i];

            if (!strcmp(v->metric, "map"))
                fputc(shade(v->note, strlen(v->note), top * step,
                            (top + 1) * step),
                      f);
        }
        fputc('\n', f);
    }
    fprintf(f, "   first operation to last; live: . none  : a little  @ 9/10 "
               "and more\n\n");
}

static size_t worst_used(const struct mdriver *m)
{
    size_t worst = m->ntraces;
    double least = 2;

    for (size_t t = 0; t < m->ntraces; t++) {
        const double u =
            mdriver_value(mdriver_cell(m, t, 0), "utilization", "");

        if (u < least && m->trace[t].n >= MDRIVER_MAP_COLUMNS) {
            least = u;
            worst = t;
        }
    }
    return worst;
}

void mdriver_print(const struct mdriver *m, bool all_maps, FILE *f)
{
    const size_t worst = worst_used(m);

    print_traces(m, f);
    print_faults(m, f);
    print_scores(m, f);
    print_metric(m, "ns per operation", "best_per_op", f);
    print_metric(m, "ns, p50 of calls", "call_p50", f);
    print_metric(m, "ns, p99 of calls", "call_p99", f);
    print_metric(m, "ns, longest call", "call_max", f);
    print_worst(m, f);
    print_memory(m, f);
    print_others_faults(m, f);
    for (size_t t = 0; t < m->ntraces; t++)
        if (all_maps || t == worst)
            print_map(m, t, f);
}
