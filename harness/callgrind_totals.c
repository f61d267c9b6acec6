/* callgrind_totals.c - the totals in a file that callgrind wrote.
 *
 * Of its many lines three kinds matter: "creator: callgrind-VERSION", "events:
 * NAME..." and "totals: NUMBER...", one number an event, where zeros at the
 * end are left out.  ("summary:" stands before them, and is 0 in a dump that
 * the program asked for.)  Caches are described in lines "desc: ...".
 *
 * Invariant: nothing is read beyond text[n]; a line without its newline was
 * cut off and is none.
 *
 * Source: Valgrind manual, "Callgrind format specification".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "callgrind_totals.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What adds up to each total. */
static const struct event_use {
    const char *name;
    size_t total; /* offset in callgrind_totals */
    int of_caches;
} uses[] = {
#define TOTAL(field) offsetof(struct callgrind_totals, field)
    {"Ir", TOTAL(instructions), 0},   {"Bc", TOTAL(branches), 0},
    {"Bi", TOTAL(branches), 0},       {"Bcm", TOTAL(branch_misses), 0},
    {"Bim", TOTAL(branch_misses), 0}, {"I1mr", TOTAL(i1_misses), 1},
    {"D1mr", TOTAL(d1_misses), 1},    {"D1mw", TOTAL(d1_misses), 1},
    {"ILmr", TOTAL(ll_misses), 1},    {"DLmr", TOTAL(ll_misses), 1},
    {"DLmw", TOTAL(ll_misses), 1},
};

static const char *const caches[] = {
    "I1 cache: 32768 B, 64 B, 8-way associative",
    "D1 cache: 32768 B, 64 B, 8-way associative",
    "LL cache: 8388608 B, 64 B, 16-way associative",
};

enum {
    USES = sizeof uses / sizeof *uses,
    CACHES = sizeof caches / sizeof *caches,
    EVENTS_MAX = 32
};

/* A stretch of the text, without an end of its own. */
struct span {
    const char *at;
    size_t n;
};

struct reader {
    struct span events, totals, creator; /* at: NULL until seen */
    unsigned caches_seen;                /* a bit each */
    char *why;
    size_t why_size;
};

static int refuse(const struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->why, r->why_size, format, args);
    va_end(args);
    return EBADMSG;
}

/* Whether the line begins with the key; then *rest is what follows it. */
static int has_key(struct span line, const char *key, struct span *rest)
{
    size_t n = strlen(key);

    if (line.n < n || memcmp(line.at, key, n))
        return 0;
    *rest = (struct span){line.at + n, line.n - n};
    return 1;
}

static int is_text(struct span s, const char *text)
{
    return s.n == strlen(text) && !memcmp(s.at, text, s.n);
}

static void take_line(struct reader *r, struct span line)
{
    struct span rest;

    if (has_key(line, "creator: callgrind-", &rest)) {
        r->creator = rest;
    } else if (has_key(line, "desc: ", &rest)) {
        for (unsigned i = 0; i < CACHES; i++)
            if (is_text(rest, caches[i]))
                r->caches_seen |= 1u << i;
    } else if (has_key(line, "events:", &rest)) {
        r->events = rest;
        r->totals.at = NULL; /* of the dump before */
    } else if (has_key(line, "totals:", &rest)) {
        r->totals = rest;
    }
}

static void take_lines(struct reader *r, const char *text, size_t n)
{
    const char *newline;

    for (; n && (newline = memchr(text, '\n', n));) {
        size_t length = (size_t)(newline - text);

        take_line(r, (struct span){text, length});
        text += length + 1;
        n -= length + 1;
    }
}

/* Take the next word off the span; its n is 0 at the end. */
static struct span next_word(struct span *s)
{
    struct span word;

    while (s->n && *s->at == ' ')
        s->at++, s->n--;
    word = (struct span){s->at, 0};
    while (s->n && *s->at != ' ')
        s->at++, s->n--, word.n++;
    return word;
}

static int parse_count(struct span word, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < word.n; i++) {
        unsigned digit = (unsigned)(word.at[i] - '0');

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return EBADMSG;
        value = 10 * value + digit;
    }
    *out = value;
    return 0;
}

/* The numbers of the totals by event; what is left out at the end is 0. */
static int parse_counts(struct reader *r, uint64_t counts[], size_t n)
{
    for (size_t i = 0;; i++) {
        struct span word = next_word(&r->totals);

        if (!word.n)
            return i ? 0 : refuse(r, "totals without a number");
        if (i >= n)
            return refuse(r, "more totals than events");
        if (parse_count(word, &counts[i]))
            return refuse(r, "total %zu is \"%.*s\" (want a number)", i + 1,
                          word.n < 24 ? (int)word.n : 24, word.at);
    }
}

static int parse_events(struct reader *r, struct span names[], size_t *n)
{
    *n = 0;
    for (;;) {
        struct span word = next_word(&r->events);

        if (!word.n)
            return 0;
        if (*n == EVENTS_MAX)
            return refuse(r, "more than %d events", EVENTS_MAX);
        names[(*n)++] = word;
    }
}

static int add_up(const struct reader *r, const struct span names[],
                  const uint64_t counts[], size_t n, int with_caches,
                  struct callgrind_totals *out)
{
    for (size_t u = 0; u < USES; u++) {
        uint64_t *total = (uint64_t *)(void *)((char *)out + uses[u].total);
        size_t i = 0;

        if (uses[u].of_caches && !with_caches)
            continue;
        while (i < n && !is_text(names[i], uses[u].name))
            i++;
        if (i == n)
            return refuse(r, "no event %s", uses[u].name);
        if (counts[i] > UINT64_MAX - *total)
            return refuse(r, "event %s is beyond 2^64", uses[u].name);
        *total += counts[i];
    }
    return out->instructions ? 0 : refuse(r, "no instruction was counted");
}

int callgrind_totals_parse(const char *text, size_t n, int with_caches,
                           struct callgrind_totals *out, char *why,
                           size_t why_size)
{
    struct reader r = {.why = why, .why_size = why_size};
    struct span names[EVENTS_MAX];
    uint64_t counts[EVENTS_MAX] = {0};
    size_t events;

    *out = (struct callgrind_totals){0};
    take_lines(&r, text, n);
    if (!r.creator.at || !r.events.at || !r.totals.at)
        return refuse(&r, "no whole dump of callgrind in %zu bytes", n);
    if (with_caches && r.caches_seen != (1u << CACHES) - 1)
        return refuse(&r, "callgrind simulated other caches than asked for");
    snprintf(out->version, sizeof out->version, "%.*s",
             r.creator.n < sizeof out->version ? (int)r.creator.n
                                               : (int)sizeof out->version - 1,
             r.creator.at);
    int err = parse_events(&r, names, &events);

    if (!err)
        err = parse_counts(&r, counts, events);
    return err ? err : add_up(&r, names, counts, events, with_caches, out);
}
