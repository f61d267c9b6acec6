/* knobs.c - knobs from text and to text.
 *
 * A workload or an allocator is chosen as "name" or
 * "name:knob=value:knob=value".  This file reads what stands after the first
 * colon.  Nothing is guessed: an unknown,
 * repeated or empty knob, or a value outside its range, is an error whose
 * message says what would be right.
 *
 * Invariant: after knobs_parse returned 0 every value is in its knob's range.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "knobs.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    NAME_MAX_SHOWN = 40,   /* characters of the user's text in a message */
    SUGGEST_DISTANCE = 2,  /* edits at most for a "did you mean" */
    NUMBER_MAX_DIGITS = 15 /* all that a double holds exactly */
};

/* A piece of the user's text; not ended by 0. */
struct piece {
    const char *at;
    size_t length;
};

/* Without libm, since this is part of libraries that serve malloc. */
static bool is_whole(double value)
{
    const double beyond = 0x1p53; /* from there on every double is whole */

    return value >= beyond || value <= -beyond ||
           value == (double)(int64_t)value;
}

static bool piece_is(struct piece piece, const char *word)
{
    return strlen(word) == piece.length &&
           memcmp(piece.at, word, piece.length) == 0;
}

/* The piece as it may stand in a message: short, no control bytes. */
static const char *piece_show(struct piece piece, char out[NAME_MAX_SHOWN + 1])
{
    size_t n = piece.length < NAME_MAX_SHOWN ? piece.length : NAME_MAX_SHOWN;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)piece.at[i];
        out[i] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    out[n] = '\0';
    return out;
}

struct parser {
    const char *owner;
    const struct knob *knobs;
    struct knob_values *values;
    uint64_t seen; /* a bit for each knob already set */
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int
refuse(const struct parser *parser, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(parser->why, parser->why_size, format, args);
    va_end(args);
    return EINVAL;
}

/* A value as a user would write it: 80m, 0.5, 200000. */
static const char *value_show(const struct knob *knob, double value,
                              char out[32])
{
    static const char suffix[] = {'g', 'm', 'k'};
    double unit = 0x1p30;

    if (strcmp(knob->unit, "bytes") == 0)
        for (int i = 0; i < 3; i++, unit /= 1024)
            if (value >= unit && is_whole(value / unit)) {
                snprintf(out, 32, "%.0f%c", value / unit, suffix[i]);
                return out;
            }
    snprintf(out, 32, "%.15g", value);
    return out;
}

/* "A, B or C" */
static void choices_show(const struct knob *knob, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; knob->choices[i] && used < size; i++) {
        const char *comma = i == 0 ? "" : knob->choices[i + 1] ? ", " : " or ";
        int n =
            snprintf(out + used, size - used, "%s%s", comma, knob->choices[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

/* "0..100 %" or "A, B or C" */
static void wanted_show(const struct knob *knob, char *out, size_t size)
{
    char min[32], max[32];

    if (knob->choices) {
        choices_show(knob, out, size);
        return;
    }
    bool has_unit = strcmp(knob->unit, "1") != 0;
    snprintf(out, size, "%s..%s%s%s", value_show(knob, knob->min, min),
             value_show(knob, knob->max, max), has_unit ? " " : "",
             has_unit ? knob->unit : "");
}

static double suffix_factor(char c)
{
    switch (c) {
    case 'k':
    case 'K':
        return 0x1p10;
    case 'm':
    case 'M':
        return 0x1p20;
    case 'g':
    case 'G':
        return 0x1p30;
    default:
        return 0;
    }
}

/* Digits with at most one point, after an optional minus.  Not strtod: it
 * follows the locale, and takes "inf" and "0x1p3". */
static bool digits_parse(struct piece text, double *value)
{
    uint64_t digits = 0, scale = 1;
    int count = 0;
    bool has_point = false, is_negative = false;

    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '-' && i == 0) {
            is_negative = true;
        } else if (c == '.' && !has_point && count > 0) {
            has_point = true;
        } else if (c >= '0' && c <= '9' && count < NUMBER_MAX_DIGITS) {
            digits = digits * 10 + (uint64_t)(c - '0');
            scale *= has_point ? 10 : 1;
            count++;
        } else {
            return false;
        }
    }
    *value = (is_negative ? -1.0 : 1.0) * (double)digits / (double)scale;
    return count > 0;
}

static bool number_parse(const struct knob *knob, struct piece text,
                         double *value)
{
    double factor = 1;

    if (strcmp(knob->unit, "bytes") == 0 && text.length > 0 &&
        suffix_factor(text.at[text.length - 1]) > 0)
        factor = suffix_factor(text.at[--text.length]);
    if (!digits_parse(text, value))
        return false;
    *value *= factor;

    bool may_be_fraction =
        strcmp(knob->unit, "%") == 0 || strcmp(knob->unit, "1") == 0;
    return may_be_fraction || is_whole(*value);
}

static bool choice_parse(const struct knob *knob, struct piece text,
                         double *value)
{
    for (size_t i = 0; knob->choices[i]; i++)
        if (piece_is(text, knob->choices[i])) {
            *value = (double)i;
            return true;
        }
    return false;
}

static int value_parse(const struct parser *parser, const struct knob *knob,
                       struct piece text, double *out)
{
    char shown[NAME_MAX_SHOWN + 1], wanted[160];
    double value;
    bool is_good = knob->choices ? choice_parse(knob, text, &value)
                                 : number_parse(knob, text, &value) &&
                                       value >= knob->min && value <= knob->max;

    if (is_good) {
        *out = value;
        return 0;
    }
    wanted_show(knob, wanted, sizeof wanted);
    return refuse(parser, "%s: %s = %s (want %s)", parser->owner, knob->name,
                  text.length > 0 ? piece_show(text, shown) : "\"\"", wanted);
}

/* Levenshtein's distance, one row at a time; `far` if longer than a name. */
static size_t edit_distance(struct piece a, const char *b)
{
    size_t row[NAME_MAX_SHOWN + 1];
    size_t n = strlen(b);
    const size_t far = NAME_MAX_SHOWN;

    if (a.length > NAME_MAX_SHOWN || n > NAME_MAX_SHOWN)
        return far;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = diagonal + (a.at[i - 1] != b[j - 1]);
            size_t drop = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < drop ? change : drop;
        }
    }
    return row[n];
}

static int refuse_name(const struct parser *parser, struct piece name)
{
    char shown[NAME_MAX_SHOWN + 1];
    const struct knob *best = NULL;
    size_t least = SUGGEST_DISTANCE + 1;

    piece_show(name, shown);
    for (const struct knob *knob = parser->knobs; knob->name; knob++) {
        size_t distance = edit_distance(name, knob->name);
        if (distance < least && distance < name.length) {
            least = distance;
            best = knob;
        }
    }
    if (best)
        return refuse(parser, "%s has no knob \"%s\" (did you mean \"%s\"?)",
                      parser->owner, shown, best->name);
    return refuse(parser, "%s has no knob \"%s\" (heapyard list %s shows them)",
                  parser->owner, shown, parser->owner);
}

static int pair_parse(struct parser *parser, struct piece pair)
{
    const struct knob *const knobs = parser->knobs;
    char shown[NAME_MAX_SHOWN + 1];
    const char *equals = memchr(pair.at, '=', pair.length);

    if (!equals)
        return refuse(parser, "%s: \"%s\" (want knob=value)", parser->owner,
                      piece_show(pair, shown));
    struct piece name = {pair.at, (size_t)(equals - pair.at)};
    struct piece text = {equals + 1, pair.length - name.length - 1};
    for (size_t i = 0; knobs[i].name; i++) {
        if (!piece_is(name, knobs[i].name))
            continue;
        if (parser->seen & UINT64_C(1) << i)
            return refuse(parser, "%s: %s is given twice (want it once)",
                          parser->owner, knobs[i].name);
        parser->seen |= UINT64_C(1) << i;
        return value_parse(parser, &knobs[i], text, &parser->values->v[i]);
    }
    return refuse_name(parser, name);
}

static void values_preset(const struct knob *knobs, struct knob_values *values)
{
    *values = (struct knob_values){{0}};
    for (size_t i = 0; knobs[i].name; i++) {
        assert(i < KNOBS_MAX);
        values->v[i] = knobs[i].preset;
    }
}

int knobs_parse(const char *owner, const struct knob *knobs, const char *text,
                struct knob_values *values, char *why, size_t why_size)
{
    struct parser parser = {.owner = owner,
                            .knobs = knobs,
                            .values = values,
                            .why = why,
                            .why_size = why_size};
    const char *at = text ? text : "";

    values_preset(knobs, values);
    while (*at) {
        struct piece pair = {at, strcspn(at, ":")};
        int err = pair_parse(&parser, pair);
        if (err)
            return err;
        at += pair.length;
        if (*at == ':' && at[1] == '\0')
            return refuse(&parser,
                          "%s: nothing after the last \":\" (want "
                          "knob=value)",
                          owner);
        at += *at == ':';
    }
    return 0;
}

int knobs_check_min(const char *owner, double min, double max, char *why,
                    size_t why_size)
{
    if (min <= max)
        return 0;
    snprintf(why, why_size, "%s: min = %.0f (want at most max, %.0f bytes)",
             owner, min, max);
    return EINVAL;
}

void knobs_print(FILE *out, const struct knob *knobs)
{
    for (const struct knob *knob = knobs; knob->name; knob++) {
        char preset[32], wanted[160];
        const char *shown = knob->choices
                                ? knob->choices[(size_t)knob->preset]
                                : value_show(knob, knob->preset, preset);
        wanted_show(knob, wanted, sizeof wanted);
        fprintf(out, "    %-16s %-8s %-24s %s\n", knob->name, shown, wanted,
                knob->help);
    }
}
