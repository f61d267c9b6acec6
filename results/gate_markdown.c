/* gate_markdown.c - the report as a page of GitHub's Markdown.
 *
 * What needs attention is in the open; unchanged cells are folded away.
 *
 * Source: GitHub Flavored Markdown, sections 2.4 and 6.1 (any punctuation of
 * ASCII may stand behind a backslash) and 4.10 (tables: so may a bar).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <inttypes.h>
#include <string.h>

#include "gate_text.h"

static void put_escaped(FILE *f, const char *text)
{
    char clean[GATE_TEXT];
    gate_text_clean(text, clean, sizeof clean);
    for (const char *p = clean; *p; p++) {
        if (strchr("\\`*_{}[]<>()#+!|~&$@", *p))
            putc('\\', f);
        putc(*p, f);
    }
}

static void put_row(const struct gate_report *r, const struct gate_cell *c,
                    FILE *f)
{
    char place[GATE_TEXT], base[80], candidate[80], change[160], margin[64];
    const char *mark = c->verdict == GATE_REGRESSED ? "**" : "";
    gate_text_place(r, c, place);
    gate_text_value(c->base, c->unit, base, sizeof base);
    gate_text_value(c->candidate, c->unit, candidate, sizeof candidate);
    gate_text_change(c, change, sizeof change);
    gate_text_share(c->margin, margin, sizeof margin);
    fprintf(f, "| %s%s%s", mark, gate_verdict_name(c->verdict), mark);
    const char *const cells[] = {place,     c->metric, base,
                                 candidate, change,    margin};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        fputs(" | ", f);
        put_escaped(f, cells[i]);
    }
    fprintf(f, " | %" PRIu32 " | ", c->pairs);
    put_escaped(f, c->why);
    fputs(" |\n", f);
}

static void put_head(FILE *f)
{
    fputs("| verdict | workload/threads/allocator | metric | baseline | "
          "candidate | change | margin | pairs | why |\n"
          "|---|---|---|---:|---:|---:|---:|---:|---|\n",
          f);
}

static void put_rows(const struct gate_report *r, enum gate_verdict v, FILE *f)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->cells[i].verdict == v)
            put_row(r, &r->cells[i], f);
}

int gate_markdown_write(const struct gate_report *r, FILE *f)
{
    char sum[GATE_TEXT], level[32];
    size_t unchanged = gate_count(r, GATE_UNCHANGED);
    gate_text_sum(r, sum);
    gate_text_share(r->level, level, sizeof level);
    fprintf(f, "## Gate: %s\n\n**", sum);
    put_escaped(f, r->candidate_name);
    fputs("** against **", f);
    put_escaped(f, r->base_name);
    fputs("** on ", f);
    put_escaped(f, r->machine);
    fputs(", ", f);
    put_escaped(f, r->date);
    fprintf(f, ". Level %s, over all cells.\n", level);
    if (r->n > unchanged) {
        putc('\n', f);
        put_head(f);
        for (int i = 0; i < GATE_VERDICTS; i++)
            if (gate_worst_first[i] != GATE_UNCHANGED)
                put_rows(r, gate_worst_first[i], f);
    }
    if (unchanged) {
        fprintf(f, "\n<details><summary>%zu unchanged</summary>\n\n",
                unchanged);
        put_head(f);
        put_rows(r, GATE_UNCHANGED, f);
        fputs("\n</details>\n", f);
    }
    return gate_text_end(f);
}
