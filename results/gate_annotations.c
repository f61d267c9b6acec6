/* gate_annotations.c - the report as workflow commands of GitHub Actions.
 *
 * A line a cell that is not unchanged, worst first: GitHub shows ten of a kind
 * a step.  regressed is an error, undecided and refused are warnings,
 * improved is a notice.
 *
 * Source: github.com/actions/toolkit, packages/core/src/command.ts (which
 * characters of data and of properties stand as %XX).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <string.h>

#include "gate_text.h"

static const char *const commands[GATE_VERDICTS] = {
    [GATE_REGRESSED] = "error", [GATE_UNDECIDED] = "warning",
    [GATE_REFUSED] = "warning", [GATE_IMPROVED] = "notice",
    [GATE_UNCHANGED] = NULL,
};

/* special: what stands as %XX. */
static void put_escaped(FILE *f, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            fprintf(f, "%%%02X", (unsigned)(unsigned char)*text);
        else
            putc(*text, f);
    }
}

static void put_data(FILE *f, const char *text)
{
    put_escaped(f, text, "%\r\n");
}

static void put_property(FILE *f, const char *text)
{
    put_escaped(f, text, "%\r\n:,");
}

static void put_command(const struct gate_report *r, const struct gate_cell *c,
                        FILE *f)
{
    char name[GATE_TEXT], why[GATE_TEXT], figures[GATE_TEXT];
    gate_text_name(r, c, name);
    gate_text_clean(c->why, why, sizeof why);
    gate_text_figures(c, figures);
    fprintf(f, "::%s title=%s ", commands[c->verdict],
            gate_verdict_name(c->verdict));
    put_property(f, name);
    fputs("::", f);
    put_data(f, why);
    put_data(f, "\n");
    put_data(f, figures);
    putc('\n', f);
}

int gate_annotations_write(const struct gate_report *r, FILE *f)
{
    for (int v = 0; v < GATE_VERDICTS; v++)
        for (size_t i = 0; i < r->n; i++)
            if (r->cells[i].verdict == gate_worst_first[v] &&
                commands[r->cells[i].verdict])
                put_command(r, &r->cells[i], f);
    return gate_text_end(f);
}
