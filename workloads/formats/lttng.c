/* lttng.c - babeltrace2's text of the events of LTTng-UST's libc wrapper.
 *
 *   [06:42:49.229744341] (+0.000019329) HOST lttng_ust_libc:malloc:
 *       { cpu_id = 0 }, { vtid = 23699, vpid = 23699 },
 *       { size = 24, ptr = 0x55F3EBBBFB30 }
 *
 * on one line.  Kept: sizes, alignment, zeroing, times, and threads if the
 * recording has the context vtid (lttng add-context -u -t vtid).  Other events
 * are passed over; of several processes (context vpid) one is taken.
 *
 * Source: LTTng-UST 2.13, liblttng-ust-libc-wrapper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "format.h"

#define PROVIDER "lttng_ust_libc:"

enum { NS_PER_DIGIT_10 = 1000000000, DAY_S = 24 * 3600 };

enum field {
    SIZE,
    PTR,
    NMEMB,
    IN_PTR,
    OUT_PTR,
    ALIGNMENT,
    RESULT,
    VTID,
    VPID,
    FIELDS
};

static const char *const field_names[FIELDS] = {
    "size",      "ptr",    "nmemb", "in_ptr", "out_ptr",
    "alignment", "result", "vtid",  "vpid",
};

struct event {
    uint64_t value[FIELDS];
    unsigned has; /* bits of fields */
};

struct state {
    uint64_t days_s; /* of the days that the clock has passed, seconds */
    uint64_t last_s;
    int has_time;
};

static int take_malloc(struct import *im, const struct event *e)
{
    return import_malloc(im, e->value[VTID], e->value[PTR], e->value[SIZE]);
}

static int take_calloc(struct import *im, const struct event *e)
{
    return import_calloc(im, e->value[VTID], e->value[PTR], e->value[NMEMB],
                         e->value[SIZE]);
}

static int take_realloc(struct import *im, const struct event *e)
{
    return import_realloc(im, e->value[VTID], e->value[IN_PTR], e->value[PTR],
                          e->value[SIZE]);
}

static int take_memalign(struct import *im, const struct event *e)
{
    return import_memalign(im, e->value[VTID], e->value[PTR],
                           e->value[ALIGNMENT], e->value[SIZE]);
}

static int take_posix_memalign(struct import *im, const struct event *e)
{
    return import_memalign(im, e->value[VTID],
                           e->value[RESULT] ? 0 : e->value[OUT_PTR],
                           e->value[ALIGNMENT], e->value[SIZE]);
}

static int take_free(struct import *im, const struct event *e)
{
    return import_dealloc(im, e->value[VTID], e->value[PTR]);
}

static const struct kind {
    const char *name;
    unsigned needs; /* bits of fields */
    int (*take)(struct import *, const struct event *);
    const char *want;
} kinds[] = {
    {"malloc:", 1u << SIZE | 1u << PTR, take_malloc, "malloc: size, ptr"},
    {"free:", 1u << PTR, take_free, "free: ptr"},
    {"calloc:", 1u << NMEMB | 1u << SIZE | 1u << PTR, take_calloc,
     "calloc: nmemb, size, ptr"},
    {"realloc:", 1u << IN_PTR | 1u << SIZE | 1u << PTR, take_realloc,
     "realloc: in_ptr, size, ptr"},
    {"memalign:", 1u << ALIGNMENT | 1u << SIZE | 1u << PTR, take_memalign,
     "memalign: alignment, size, ptr"},
    {"posix_memalign:", 1u << OUT_PTR | 1u << ALIGNMENT | 1u << SIZE,
     take_posix_memalign, "posix_memalign: out_ptr, alignment, size, result"},
};

static const struct kind *scan_kind(const char **at)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (scan_word(at, kinds[i].name))
            return &kinds[i];
    return NULL;
}

/* "NAME = VALUE", of which only what has a field is kept. */
static void scan_field(const char **at, struct event *e)
{
    const char *name = *at, *equals = strstr(name, " = ");
    uint64_t v;

    if (!equals) {
        *at += strlen(*at);
        return;
    }
    *at = equals + 3;
    if (!scan_number(at, &v))
        return;
    for (int i = 0; i < FIELDS; i++)
        if (strlen(field_names[i]) == (size_t)(equals - name) &&
            !memcmp(name, field_names[i], (size_t)(equals - name))) {
            e->value[i] = v;
            e->has |= 1u << i;
        }
}

/* "{ NAME = VALUE, … }, { … }"; whether the last brace is there. */
static int scan_fields(const char *at, struct event *e)
{
    int is_closed = 0;

    while (*at) {
        if (*at == '{' || *at == ',' || *at == ' ' || *at == '}')
            is_closed = *at++ == '}';
        else
            scan_field(&at, e);
    }
    return is_closed;
}

/* "229744341]": nanoseconds, by however many digits. */
static uint64_t scan_fraction(const char **at)
{
    uint64_t ns = 0;

    for (uint64_t unit = NS_PER_DIGIT_10 / 10; **at >= '0' && **at <= '9';
         unit /= 10)
        ns += unit * (uint64_t)(*(*at)++ - '0');
    return ns;
}

/* "[HH:MM:SS.FRACTION]" (after a date, or not) or "[SECONDS.FRACTION]" */
static int scan_time(const char *at, uint64_t *s, uint64_t *ns)
{
    uint64_t part = 0;

    *s = 0;
    if (*at++ != '[')
        return 0;
    const char *blank = strchr(at, ' '), *end = strchr(at, ']');

    if (blank && end && blank < end) /* a date */
        at = blank + 1;
    while (scan_decimal(&at, &part) && part < UINT64_MAX / 1000000000000) {
        *s = *s * 60 + part;
        if (*at != ':') {
            int has_fraction = scan_word(&at, ".");

            *ns = scan_fraction(&at);
            return has_fraction && *at == ']' &&
                   *s < UINT64_MAX / NS_PER_DIGIT_10 / 2;
        }
        at++;
        if (*s > DAY_S)
            return 0;
    }
    return 0;
}

/* A clock of the day begins again at midnight. */
static int take_time(struct import *im, struct state *st, const char *line)
{
    uint64_t s, ns;

    if (!scan_time(line, &s, &ns))
        return 0;
    if (st->has_time && s + DAY_S / 2 < st->last_s && st->last_s < DAY_S)
        st->days_s += DAY_S;
    st->has_time = 1;
    st->last_s = s;
    return import_time(im, (st->days_s + s) * NS_PER_DIGIT_10 + ns);
}

static int take_line(struct import *im, const char *line, void *state)
{
    struct event event = {0};
    const char *at = strstr(line, PROVIDER);
    int is_ours = 1, err;

    if (!at)
        return 0;
    at += strlen(PROVIDER);
    const struct kind *kind = scan_kind(&at);

    if (!kind)
        return import_bad(im, "malloc, calloc, realloc, free, memalign or "
                              "posix_memalign");
    if (!scan_fields(at, &event) || (event.has & kind->needs) != kind->needs)
        return import_bad(im, kind->want);
    err = event.has & 1u << VPID
              ? import_process(im, event.value[VPID], &is_ours)
              : 0;
    if (!err && is_ours)
        err = take_time(im, state, line);
    return err || !is_ours ? err : kind->take(im, &event);
}

static int lttng_read(struct import *im)
{
    struct state s = {0};

    return import_lines(im, take_line, &s);
}

static int is_lttng_line(const char *line)
{
    const char *at = strstr(line, PROVIDER), *newline = strchr(line, '\n');

    return at && (!newline || at < newline);
}

static int lttng_sniff(const char *head, size_t n)
{
    return format_has_line(head, n, is_lttng_line);
}

const struct trace_format lttng_format = {
    .name = "lttng",
    .summary = "babeltrace2's text of the LTTng-UST libc wrapper",
    .suffix = "",
    .sniff = lttng_sniff,
    .read = lttng_read,
};
