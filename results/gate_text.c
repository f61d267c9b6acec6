/* gate_text.c - what the reports of the gate share: names and figures in
 * words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "columns.h"

const enum gate_verdict gate_worst_first[GATE_VERDICTS] = {
    GATE_REGRESSED, GATE_UNDECIDED, GATE_REFUSED, GATE_IMPROVED,
    GATE_UNCHANGED};

const char *gate_verdict_name(enum gate_verdict v)
{
    static const char *const names[GATE_VERDICTS] = {
        [GATE_IMPROVED] = "improved",   [GATE_UNCHANGED] = "unchanged",
        [GATE_REGRESSED] = "regressed", [GATE_UNDECIDED] = "undecided",
        [GATE_REFUSED] = "refused",
    };
    return names[v];
}

size_t gate_count(const struct gate_report *r, enum gate_verdict v)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->cells[i].verdict == v;
    return n;
}

/* Bytes of the character at s if XML may hold it and no terminal obeys it
 * (U+0080 to U+009F are controls), else 0.
 * Source: RFC 3629, section 4 (the ranges of the second byte keep out long
 * forms, surrogates and what lies above U+10FFFF); XML 1.0, production 2. */
static size_t character_length(const unsigned char *s)
{
    static const struct {
        unsigned char first, last, second_min, second_max;
        size_t length;
    } forms[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xc2, 0xa0, 0xbf, 2},
        {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t form = 0, forms_n = sizeof forms / sizeof forms[0];
    while (form < forms_n &&
           !(forms[form].first <= *s && *s <= forms[form].last))
        form++;
    if (form == forms_n)
        return 0;
    size_t length = forms[form].length;
    if (length > 1 &&
        (s[1] < forms[form].second_min || s[1] > forms[form].second_max))
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool is_forbidden = length == 3 && s[0] == 0xef && s[1] == 0xbf &&
                        s[2] >= 0xbe; /* U+FFFE, U+FFFF */
    return is_forbidden ? 0 : length;
}

void gate_text_clean(const char *from, char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)from;
    size_t used = 0;
    while (*s) {
        size_t length = character_length(s);
        size_t taken = length ? length : 1;
        if (used + taken >= size)
            break;
        if (length)
            memcpy(text + used, s, length);
        else
            text[used] = *s < 0x20 || *s == 0x7f ? ' ' : '?';
        used += taken;
        s += taken;
    }
    text[used] = '\0';
}

/* In which parts of their keys cells differ, beyond what names always tell. */
struct variants {
    bool touch, window, scale;
};

static struct variants find_variants(const struct gate_report *r)
{
    struct variants v = {0};
    for (size_t i = 1; i < r->n; i++) {
        const struct run_key *a = &r->cells[0].key, *b = &r->cells[i].key;
        v.touch = v.touch || strcmp(a->touch, b->touch);
        v.window = v.window || a->window != b->window;
        v.scale = v.scale || a->scale < b->scale || a->scale > b->scale;
    }
    return v;
}

/* label: of the threads; metric: with the slash before it, or "". */
static void write_name(const struct gate_report *r, const struct gate_cell *c,
                       const char *label, const char *metric,
                       char text[GATE_TEXT])
{
    const struct run_key *k = &c->key;
    struct variants v = find_variants(r);
    char touch[24] = "", window[24] = "", scale[48] = "", raw[GATE_TEXT];
    if (v.touch)
        snprintf(touch, sizeof touch, "/touch:%s", k->touch);
    if (v.window)
        snprintf(window, sizeof window, "/window:%" PRIu32, k->window);
    if (v.scale) {
        strcpy(scale, "/scale:");
        real_format(k->scale, scale + strlen(scale),
                    sizeof scale - strlen(scale));
    }
    snprintf(raw, sizeof raw, "%s/%s%" PRIu32 "%s%s%s/%s%s%s%s", k->workload,
             label, k->threads, touch, window, scale, k->allocator,
             c->at[0] ? "/" : "", c->at, metric);
    gate_text_clean(raw, text, GATE_TEXT);
}

void gate_text_place(const struct gate_report *r, const struct gate_cell *c,
                     char text[GATE_TEXT])
{
    write_name(r, c, "threads:", "", text);
}

void gate_text_short(const struct gate_report *r, const struct gate_cell *c,
                     char text[GATE_TEXT])
{
    write_name(r, c, "", "", text);
}

void gate_text_name(const struct gate_report *r, const struct gate_cell *c,
                    char text[GATE_TEXT])
{
    char metric[sizeof c->metric + 1];
    snprintf(metric, sizeof metric, "/%s", c->metric);
    write_name(r, c, "threads:", metric, text);
}

static const struct scale {
    const char *unit, *shown;
    double divisor;
} scales[] = {
    /* of one unit, the largest first */
    {"ns", "s", 1e9},
    {"ns", "ms", 1e6},
    {"ns", "us", 1e3},
    {"bytes", "GiB", 1073741824},
    {"bytes", "MiB", 1048576},
    {"bytes", "KiB", 1024},
    {"bytes", "B", 0},
    {"ratio", "", 0},
    {"1", "", 0},
};

static const struct scale *find_scale(double size, const char *unit)
{
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
        if (!strcmp(unit, scales[i].unit) && size >= scales[i].divisor)
            return &scales[i];
    return NULL;
}

void gate_text_value(double value, const char *unit, char *text, size_t size)
{
    char number[48], clean[24];
    if (!isfinite(value)) {
        snprintf(text, size, "-");
        return;
    }
    const struct scale *scale = find_scale(fabs(value), unit);
    double divisor = scale && scale->divisor > 0 ? scale->divisor : 1;
    double v = value / divisor, most = fabs(v);
    if (most >= 1e15 || (most > 0 && most < 1e-3))
        snprintf(number, sizeof number, "%.3g", v);
    else /* four digits, or a whole number */
        snprintf(number, sizeof number, "%.*f",
                 v == floor(v) || most >= 1000 ? 0
                 : most >= 100                 ? 1
                 : most >= 10                  ? 2
                                               : 3,
                 v);
    real_set_point(number);
    gate_text_clean(scale ? scale->shown : unit, clean, sizeof clean);
    snprintf(text, size, "%s%s%s", number, clean[0] ? " " : "", clean);
}

/* As a change in per cent; from 10 on, as a factor. */
static void write_ratio(double ratio, bool is_factor, int decimals,
                        char text[48])
{
    if (is_factor && ratio < 1e15)
        snprintf(text, 48, "%.1f", ratio);
    else if (is_factor)
        snprintf(text, 48, "%.3g", ratio);
    else
        snprintf(text, 48, "%+.*f", decimals, 100 * (ratio - 1));
    real_set_point(text);
}

void gate_text_change(const struct gate_cell *c, char *text, size_t size)
{
    char value[48], lo[48], hi[48];
    const struct interval *i = &c->ratio;
    if (!isfinite(i->value)) {
        snprintf(text, size, "-");
        return;
    }
    bool is_factor = i->value >= 10;
    int decimals = c->tier == GATE_EXACT ? 2 : 1;
    const char *unit = is_factor ? "x" : " %";
    write_ratio(i->value, is_factor, decimals, value);
    if (c->tier == GATE_EXACT || !isfinite(i->lo) || !isfinite(i->hi)) {
        snprintf(text, size, "%s%s", value, unit);
        return;
    }
    write_ratio(i->lo, is_factor, decimals, lo);
    write_ratio(i->hi, is_factor, decimals, hi);
    snprintf(text, size, "%s%s [%s, %s]", value, unit, lo, hi);
}

void gate_text_share(double share, char *text, size_t size)
{
    char number[48];
    snprintf(number, sizeof number, "%.3g", 100 * share);
    real_set_point(number);
    snprintf(text, size, "%s %%", number);
}

/* Append "LEAD NUMBER TAIL" if the number is there. */
static void append_number(const char *lead, double value, const char *tail,
                          char text[GATE_TEXT])
{
    char number[48];
    if (!isfinite(value))
        return;
    snprintf(number, sizeof number, "%.3g", value);
    real_set_point(number);
    size_t used = strlen(text);
    snprintf(text + used, GATE_TEXT - used, "%s%s%s", lead, number, tail);
}

void gate_text_figures(const struct gate_cell *c, char text[GATE_TEXT])
{
    char base[80], candidate[80], change[160], margin[64];
    gate_text_value(c->base, c->unit, base, sizeof base);
    gate_text_value(c->candidate, c->unit, candidate, sizeof candidate);
    gate_text_change(c, change, sizeof change);
    gate_text_share(c->margin, margin, sizeof margin);
    snprintf(text, GATE_TEXT,
             "baseline %s, candidate %s, change %s, margin %s, pairs %" PRIu32,
             base, candidate, change, margin, c->pairs);
    append_number(", p ", c->p, "", text);
    append_number(", detectable ", 100 * c->detectable, " %", text);
    if (c->verdict == GATE_UNDECIDED && c->needed)
        append_number(", about ", c->needed, " pairs needed", text);
}

void gate_text_sum(const struct gate_report *r, char text[GATE_TEXT])
{
    size_t used = 0;
    if (r->n == 0) {
        snprintf(text, GATE_TEXT, "no cells: nothing was compared");
        return;
    }
    for (int i = 0; i < GATE_VERDICTS; i++) {
        size_t n = gate_count(r, gate_worst_first[i]);
        if (n)
            used += (size_t)snprintf(text + used, GATE_TEXT - used, "%s%zu %s",
                                     used ? ", " : "", n,
                                     gate_verdict_name(gate_worst_first[i]));
    }
    snprintf(text + used, GATE_TEXT - used, " of %zu cell%s", r->n,
             r->n == 1 ? "" : "s");
}

static const double *find_values(const double *values, uint32_t pairs,
                                 const double *median, size_t *n)
{
    bool is_list = values && pairs;
    *n = is_list ? pairs : isfinite(*median) ? 1 : 0;
    return is_list ? values : median;
}

const double *gate_base_values(const struct gate_cell *c, size_t *n)
{
    return find_values(c->base_values, c->pairs, &c->base, n);
}

const double *gate_candidate_values(const struct gate_cell *c, size_t *n)
{
    return find_values(c->candidate_values, c->pairs, &c->candidate, n);
}

int gate_text_end(FILE *f)
{
    errno = 0;
    if (fflush(f) == 0 && !ferror(f))
        return 0;
    return errno ? errno : EIO;
}
