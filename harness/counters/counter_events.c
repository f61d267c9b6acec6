/* counter_events.c - which hardware events to count, as the user asked.
 *
 * The default list is of the kernel's generic events, which it maps to those
 * of the processor (perf_event_open(2), PERF_TYPE_HARDWARE and HW_CACHE).  A
 * ratio needs both its events in one group, and a group is counted as a whole
 * or not at all, so groups are small: many processors have four counters.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counter_events.h"

#include <ctype.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *metric;
    unsigned group; /* in the default list */
} generic[] = {
    {"cycles", "cycles", 0},
    {"instructions", "instructions", 0},
    {"stalled-cycles-frontend", "stalled_frontend", 0},
    {"stalled-cycles-backend", "stalled_backend", 0},
    {"branches", "branches", 1},
    {"branch-misses", "branch_misses", 1},
    {"L1-dcache-loads", "l1d_loads", 2},
    {"L1-dcache-load-misses", "l1d_misses", 2},
    {"LLC-loads", "llc_loads", 3},
    {"LLC-load-misses", "llc_misses", 3},
    {"dTLB-load-misses", "dtlb_misses", 4},
    {"iTLB-load-misses", "itlb_misses", 4},
};

enum { GENERIC = sizeof generic / sizeof *generic };

int counter_events_find(const struct counter_list *list, const char *metric)
{
    for (unsigned i = 0; i < list->n; i++)
        if (!strcmp(list->event[i].metric, metric))
            return (int)i;
    return -1;
}

static int same_name(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b))
        a++, b++;
    return !*a && !*b;
}

/* "r" and 1 to 16 hexadecimal digits. */
static int is_raw_code(const char *name)
{
    const size_t digits =
        strspn(name + (*name == 'r'), "0123456789abcdefABCDEF");

    return *name == 'r' && digits >= 1 && digits <= 16 && !name[1 + digits];
}

/* The event is new to the list, and there is room. */
static void append(struct counter_list *list, const char *name, unsigned group)
{
    struct counter_event *e = &list->event[list->n++];
    const char *metric = name;

    for (int i = 0; i < GENERIC; i++)
        if (same_name(name, generic[i].name))
            metric = generic[i].metric;
    *e = (struct counter_event){.group = group};
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->metric, sizeof e->metric, "%s", metric);
    if (!is_raw_code(name))
        return;
    e->is_raw = 1;
    e->code.type = PERF_TYPE_RAW;
    e->code.config = strtoull(name + 1, NULL, 16);
}

/* ---- the options ---- */

static int refuse(char *why, size_t why_size, const char *option,
                  const char *value, size_t length, const char *want)
{
    const int shown = length < 60 ? (int)length : 60;

    snprintf(why, why_size, "%s = %s%.*s%s (want %s)", option,
             length ? "" : "\"\"", shown, value, length > 60 ? "…" : "", want);
    return EINVAL;
}

static const char events_want[] =
    "libpfm's names or rHEX, joined by +, each once";

/* One name of the list, which goes on to the next + or the end. */
static int add_event(struct counter_list *list, const char *name, size_t n,
                     char *why, size_t why_size)
{
    char text[COUNTER_NAME_MAX];

    if (n >= sizeof text)
        return refuse(why, why_size, "events", name, n,
                      "names of at most 40 bytes");
    snprintf(text, sizeof text, "%.*s", (int)n, name);
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_:.=", *c))
            return refuse(why, why_size, "events", name, n, events_want);
    if (list->n ==
        COUNTER_EVENTS_MAX - 2) /* instructions, and a software one */
        return refuse(why, why_size, "events", name, n, "at most 22 of them");
    append(list, text, 0);
    if (!n || counter_events_find(list, list->event[list->n - 1].metric) !=
                  (int)list->n - 1)
        return refuse(why, why_size, "events", name, n, events_want);
    return 0;
}

static int set_events(struct counter_list *list, const char *value, size_t n,
                      char *why, size_t why_size)
{
    const char *const end = value + n;
    int err;

    list->n = 0;
    for (;;) {
        const char *plus = memchr(value, '+', (size_t)(end - value));
        const char *stop = plus ? plus : end;

        err = add_event(list, value, (size_t)(stop - value), why, why_size);
        if (err || !plus)
            return err;
        value = plus + 1;
    }
}

static int set_kernel(struct counter_list *list, const char *value, size_t n,
                      char *why, size_t why_size)
{
    if (n != 1 || (*value != '0' && *value != '1'))
        return refuse(why, why_size, "kernel", value, n, "0 or 1");
    list->kernel = *value == '1';
    return 0;
}

static const struct {
    const char *key;
    int (*set)(struct counter_list *, const char *value, size_t n, char *why,
               size_t why_size);
} options[] = {
    {"events=", set_events},
    {"kernel=", set_kernel},
};

enum { OPTIONS = sizeof options / sizeof *options };

static int option_at(const char *text)
{
    for (int i = 0; i < OPTIONS; i++)
        if (!strncmp(text, options[i].key, strlen(options[i].key)))
            return i;
    return -1;
}

/* Where the option that begins at text ends: before a ':' and another. */
static const char *option_end(const char *text)
{
    for (; *text; text++)
        if (*text == ':' && option_at(text + 1) >= 0)
            return text;
    return text;
}

int counter_events_parse(const char *text, struct counter_list *out, char *why,
                         size_t why_size)
{
    unsigned seen = 0;

    *out = (struct counter_list){0};
    for (int i = 0; i < GENERIC; i++)
        append(out, generic[i].name, generic[i].group);
    while (*text) {
        const char *end = option_end(text);
        const int i = option_at(text);

        if (i < 0 || seen & 1u << i)
            return refuse(why, why_size, "option", text, (size_t)(end - text),
                          "events=NAME+NAME… and kernel=0 or 1, each once");
        seen |= 1u << i;
        const char *value = text + strlen(options[i].key);
        const int err =
            options[i].set(out, value, (size_t)(end - value), why, why_size);
        if (err)
            return err;
        text = end + (*end != 0);
    }
    if (counter_events_find(out, "instructions") < 0)
        append(out, "instructions", out->event[out->n - 1].group + 1);
    return 0;
}
