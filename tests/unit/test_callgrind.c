/* test_callgrind.c - what is read of callgrind's file, and meter simulated's
 * options.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "callgrind_totals.h"
#include "meter.h"
#include "random.h"

#define HEAD "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\n"
#define CACHES                                                                 \
    "desc: I1 cache: 32768 B, 64 B, 8-way associative\n"                       \
    "desc: D1 cache: 32768 B, 64 B, 8-way associative\n"                       \
    "desc: LL cache: 8388608 B, 64 B, 16-way associative\n"
#define PLAIN  "events: Ir Bc Bcm Bi Bim\n"
#define CACHED "events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim\n"
#define BODY   "summary: 0\n\nfn=(1) totals: 7\n10 1 2\n\n"

/* The text in memory of exactly its size, so that a sanitizer sees a read
 * beyond it. */
static int parse(const char *text, size_t n, int with_caches,
                 struct callgrind_totals *t, char why[128])
{
    char *copy = malloc(n ? n : 1);

    memcpy(copy, text, n);
    why[0] = 0;
    int err = callgrind_totals_parse(copy, n, with_caches, t, why, 128);
    free(copy);
    return err;
}

static const struct {
    const char *text;
    int with_caches;
    struct callgrind_totals want;
} good[] = {
    {HEAD PLAIN BODY "totals: 10 4 3 2 1\n", 0, {"3.19.0", 10, 6, 4, 0, 0, 0}},
    /* zeros at the end are left out */
    {HEAD PLAIN BODY "totals: 10\n", 0, {"3.19.0", 10, 0, 0, 0, 0, 0}},
    {HEAD CACHES CACHED BODY "totals: 1 2 3 4 50 60 700 800 900 10 11 12 13\n",
     1,
     {"3.19.0", 1, 22, 24, 4, 110, 2400}},
    /* caches that nobody asked for are not looked at */
    {HEAD CACHED BODY "totals: 1 2 3 4 50 60 700 800 900 10 11 12 13\n",
     0,
     {"3.19.0", 1, 22, 24, 0, 0, 0}},
    /* another order */
    {HEAD "events: Bim Bi Bcm Bc Ir\n" BODY "totals: 1 2 3 4 10\n",
     0,
     {"3.19.0", 10, 6, 4, 0, 0, 0}},
    /* several dumps in one file: the last; its head may be left out */
    {HEAD PLAIN BODY "totals: 1 1 1 1 1\n" PLAIN BODY "totals: 10 4 3 2 1\n",
     0,
     {"3.19.0", 10, 6, 4, 0, 0, 0}},
    {HEAD PLAIN "totals: 18446744073709551615\n",
     0,
     {"3.19.0", UINT64_MAX, 0, 0, 0, 0, 0}},
    {"creator: callgrind-3.19.0.something-longer\n" PLAIN "totals: 1\n",
     0,
     {"3.19.0.somethin", 1, 0, 0, 0, 0, 0}},
};

Test(callgrind, totals_are_added_up_by_the_names_of_events)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct callgrind_totals *w = &good[i].want;
        struct callgrind_totals t;
        char why[128];
        int err = parse(good[i].text, strlen(good[i].text), good[i].with_caches,
                        &t, why);

        cr_assert_eq(err, 0, "%zu: %s", i, why);
        cr_expect_str_eq(t.version, w->version);
        cr_expect_eq(t.instructions, w->instructions, "%zu", i);
        cr_expect_eq(t.branches, w->branches, "%zu", i);
        cr_expect_eq(t.branch_misses, w->branch_misses, "%zu", i);
        cr_expect_eq(t.i1_misses, w->i1_misses, "%zu", i);
        cr_expect_eq(t.d1_misses, w->d1_misses, "%zu", i);
        cr_expect_eq(t.ll_misses, w->ll_misses, "%zu", i);
    }
}

static const struct {
    const char *text;
    int with_caches;
    const char *why;
} bad[] = {
    {"", 0, "no whole dump of callgrind in 0 bytes"},
    {"\n\n\n", 0, "no whole dump of callgrind in 3 bytes"},
    {HEAD PLAIN BODY "totals: 10 4 3 2 1", 0, "no whole dump"},
    {HEAD PLAIN BODY, 0, "no whole dump"},
    {HEAD BODY "totals: 10 4 3 2 1\n", 0, "no whole dump"},
    {PLAIN BODY "totals: 10 4 3 2 1\n", 0, "no whole dump"},
    {HEAD "totals: 10 4 3 2 1\n" PLAIN, 0, "no whole dump"},
    /* the last dump is cut off: not the first one's */
    {HEAD PLAIN "totals: 1 1 1 1 1\n" PLAIN BODY, 0, "no whole dump"},
    {HEAD PLAIN "totals:\n", 0, "totals without a number"},
    {HEAD PLAIN "totals: 1 2 3 4 5 6\n", 0, "more totals than events"},
    {HEAD PLAIN "totals: 1 -2\n", 0, "total 2 is \"-2\" (want a number)"},
    {HEAD PLAIN "totals: 1x\n", 0, "total 1 is \"1x\" (want a number)"},
    {HEAD PLAIN "totals: 1\t2\n", 0, "total 1 is \"1\t2\" (want a number)"},
    {HEAD PLAIN "totals: 18446744073709551616\n", 0,
     "total 1 is \"18446744073709551616\" (want a number)"},
    {HEAD PLAIN "totals: 99999999999999999999999999999999\n", 0,
     "total 1 is \"999999999999999999999999\" (want a number)"},
    {HEAD PLAIN "totals: 1 18446744073709551615 0 1\n", 0,
     "event Bi is beyond 2^64"},
    {HEAD PLAIN "totals: 0 1\n", 0, "no instruction was counted"},
    {HEAD "events: Bc Bcm Bi Bim\ntotals: 1 1 1 1\n", 0, "no event Ir"},
    {HEAD "events:\ntotals: 1\n", 0, "more totals than events"},
    {HEAD CACHES PLAIN BODY "totals: 10 4 3 2 1\n", 1, "no event I1mr"},
    {HEAD CACHED BODY "totals: 1 1 1 1 1 1 1 1 1 1 1 1 1\n", 1,
     "callgrind simulated other caches than asked for"},
    {HEAD "desc: I1 cache: 32768 B, 64 B, 8-way associative\n"
          "desc: D1 cache: 49152 B, 64 B, 12-way associative\n"
          "desc: LL cache: 8388608 B, 64 B, 16-way associative\n" CACHED
          "totals: 1\n",
     1, "callgrind simulated other caches than asked for"},
    {HEAD "events: a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
          "a a a\ntotals: 1\n",
     0, "more than 32 events"},
};

Test(callgrind, what_is_no_whole_dump_is_refused_with_a_reason)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct callgrind_totals t;
        char why[128];

        cr_expect_eq(parse(bad[i].text, strlen(bad[i].text), bad[i].with_caches,
                           &t, why),
                     EBADMSG, "%zu", i);
        cr_expect(!strncmp(why, bad[i].why, strlen(bad[i].why)), "%zu: %s", i,
                  why);
    }
}

static const char whole[] =
    HEAD CACHES CACHED BODY "totals: 1 2 3 4 50 60 700 800 900 10 11 12 13\n";

Test(callgrind, no_beginning_of_a_file_is_taken_for_the_whole)
{
    struct callgrind_totals t;
    char why[128];

    for (size_t n = 0; n < sizeof whole - 1; n++)
        cr_expect_eq(parse(whole, n, 1, &t, why), EBADMSG, "%zu", n);
    cr_expect_eq(parse(whole, sizeof whole - 1, 1, &t, why), 0);
}

Test(callgrind, any_bytes_are_parsed_or_refused)
{
    struct random random;
    struct callgrind_totals t;
    char text[sizeof whole], why[128];

    random_seed(&random, 1);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(text, whole, sizeof text);
        for (unsigned i = 0; i <= round % 4; i++)
            text[random_below(&random, sizeof text)] =
                (char)random_below(&random, 256);
        int err = parse(text, sizeof text, (int)(round % 2), &t, why);

        cr_assert(err == 0 || (err == EBADMSG && why[0]), "%u", round);
    }
}

static const struct {
    const char *text;
    int err;
    const char *options; /* or why not */
} options[] = {
    {"simulated", 0, ""},
    {"simulated:cache=on", 0, "cache=on"},
    {"simulated:cache=off", 0, "cache=off"},
    {"simulated:cache=of", EINVAL,
     "option cache=of (want cache=on or cache=off)"},
    {"simulated:cache", EINVAL, "option cache (want cache=on or cache=off)"},
    {"simulated:cache=off,cache=on", EINVAL,
     "option cache=off,cache=on (want cache=on or cache=off)"},
};

Test(callgrind, the_meter_takes_its_options_and_no_others)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct meter *m;
        const char *rest = NULL;
        char why[256] = "";
        int err = meter_choose(options[i].text, &m, &rest, why, sizeof why);

        cr_expect_eq(err, options[i].err, "%s", options[i].text);
        cr_expect_str_eq(err ? why : rest, options[i].options);
    }
}
