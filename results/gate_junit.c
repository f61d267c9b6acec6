/* gate_junit.c - the report as JUnit's XML: a suite a workload, a case a cell.
 *
 * regressed is a failure.  undecided and refused are skipped, with the reason
 * as the message: nothing was shown either way, and a test that cannot tell
 * must not fail a build by itself (the gate's exit status can, if asked to).
 *
 * Source: the schema of Jenkins's xUnit plugin (junit-10.xsd), which most
 * services read; XML 1.0, fifth edition, section 2.2 (characters).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <stdbool.h>
#include <string.h>

#include "gate_text.h"

static void put_escaped(FILE *f, const char *text)
{
    char clean[GATE_TEXT];
    gate_text_clean(text, clean, sizeof clean);
    for (const char *p = clean; *p; p++) {
        switch (*p) {
        case '&':
            fputs("&amp;", f);
            break;
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            putc(*p, f);
        }
    }
}

static void put_attribute(FILE *f, const char *name, const char *text)
{
    fprintf(f, " %s=\"", name);
    put_escaped(f, text);
    putc('"', f);
}

static void put_property(FILE *f, const char *name, const char *text)
{
    fputs("      <property", f);
    put_attribute(f, "name", name);
    put_attribute(f, "value", text);
    fputs("/>\n", f);
}

static void put_case(const struct gate_report *r, const struct gate_cell *c,
                     FILE *f)
{
    char place[GATE_TEXT], figures[GATE_TEXT];
    bool is_failure = c->verdict == GATE_REGRESSED;
    gate_text_place(r, c, place);
    gate_text_figures(c, figures);
    fputs("    <testcase", f);
    put_attribute(f, "classname", place);
    put_attribute(f, "name", c->metric);
    fputs(" time=\"0\">\n", f);
    if (is_failure || c->verdict == GATE_UNDECIDED ||
        c->verdict == GATE_REFUSED) {
        fputs(is_failure ? "      <failure type=\"regressed\" message=\""
                         : "      <skipped message=\"",
              f);
        if (!is_failure)
            fprintf(f, "%s: ", gate_verdict_name(c->verdict));
        put_escaped(f, c->why);
        fputs("\">", f);
        put_escaped(f, figures);
        fputs(is_failure ? "</failure>\n" : "</skipped>\n", f);
    }
    fputs("      <system-out>", f);
    fprintf(f, "%s: ", gate_verdict_name(c->verdict));
    put_escaped(f, figures);
    fputs("</system-out>\n    </testcase>\n", f);
}

static bool is_of_workload(const struct gate_cell *c, const char *workload)
{
    return !strcmp(c->key.workload, workload);
}

/* The suite of the workload of the cell `first`, and of all cells after it. */
static void put_suite(const struct gate_report *r, size_t first, FILE *f)
{
    const char *workload = r->cells[first].key.workload;
    char level[32];
    size_t n[GATE_VERDICTS] = {0}, all = 0;
    for (size_t i = first; i < r->n; i++)
        if (is_of_workload(&r->cells[i], workload)) {
            n[r->cells[i].verdict]++;
            all++;
        }
    fputs("  <testsuite", f);
    put_attribute(f, "name", workload);
    fprintf(f,
            " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\""
            " time=\"0\"",
            all, n[GATE_REGRESSED], n[GATE_UNDECIDED] + n[GATE_REFUSED]);
    if (strlen(r->date) >= 19) { /* the schema wants it without a zone */
        char date[20] = "";
        memcpy(date, r->date, 19);
        put_attribute(f, "timestamp", date);
    }
    fputs(">\n    <properties>\n", f);
    put_property(f, "baseline", r->base_name);
    put_property(f, "candidate", r->candidate_name);
    put_property(f, "machine", r->machine);
    gate_text_share(r->level, level, sizeof level);
    put_property(f, "level", level);
    fputs("    </properties>\n", f);
    for (size_t i = first; i < r->n; i++)
        if (is_of_workload(&r->cells[i], workload))
            put_case(r, &r->cells[i], f);
    fputs("  </testsuite>\n", f);
}

static bool is_new(const struct gate_report *r, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (is_of_workload(&r->cells[i], r->cells[at].key.workload))
            return false;
    return true;
}

int gate_junit_write(const struct gate_report *r, FILE *f)
{
    fprintf(f,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"heapyard gate\" tests=\"%zu\" failures=\"%zu\""
            " errors=\"0\" time=\"0\">\n",
            r->n, gate_count(r, GATE_REGRESSED));
    for (size_t i = 0; i < r->n; i++)
        if (is_new(r, i))
            put_suite(r, i, f);
    fputs("</testsuites>\n", f);
    return gate_text_end(f);
}
