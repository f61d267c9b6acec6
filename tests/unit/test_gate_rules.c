/* test_gate_rules.c - shares, metrics and margins as users type them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "gate_rules.h"

enum { WHY = 512 };

static const struct {
    const char *text;
    int err;
    double value;
} shares[] = {
    {"1%", 0, 0.01},
    {"0.5 %", 0, 0.005},
    {"0.01", 0, 0.01},
    {"0", 0, 0},
    {"0%", 0, 0},
    {"1000%", 0, 10},
    {"10", 0, 10},
    {"1e-3", 0, 1e-3},
    {"2.5  %", 0, 0.025},
    {"", EINVAL, 0},
    {"%", EINVAL, 0},
    {" %", EINVAL, 0},
    {"1%%", EINVAL, 0},
    {"-1%", EINVAL, 0},
    {"1000.1%", EINVAL, 0},
    {"10.01", EINVAL, 0},
    {"nan", EINVAL, 0},
    {"inf%", EINVAL, 0},
    {"1 % ", EINVAL, 0},
    {"one", EINVAL, 0},
    {"1%2", EINVAL, 0},
    {"0,5%", EINVAL, 0},
    {"0.00000000000000000000000000000001", EINVAL, 0},
};

Test(gate_rules, shares_are_per_cent_or_plain)
{
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double value = 77;
        int err = share_parse(shares[i].text, 0, 10, &value);

        cr_expect_eq(err, shares[i].err, "\"%s\": %d", shares[i].text, err);
        cr_expect_float_eq(value, err ? 77 : shares[i].value, 1e-15, "\"%s\"",
                           shares[i].text);
    }
}

/* As the options of gate and calibrate have them. */
Test(gate_rules, the_ends_of_a_range_are_in_it_either_way)
{
    static const struct {
        double min, max;
        const char *text[4];
    } ranges[] = {
        {1e-4, 0.2, {"0.01%", "20%", "0.0001", "0.2"}},
        {0.001, 0.5, {"0.1%", "50%", "0.001", "0.5"}},
        {0, 10, {"0%", "1000%", "0", "10"}},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (int j = 0; j < 4; j++) {
            double share;

            cr_expect_eq(share_parse(ranges[i].text[j], ranges[i].min,
                                     ranges[i].max, &share),
                         0, "%s", ranges[i].text[j]);
        }
}

static int rule(const char *metric)
{
    for (int i = 0; i < GATE_RULES; i++)
        if (!strcmp(gate_rules[i].metric, metric))
            return i;
    cr_assert_fail("no rule %s", metric);
    return -1;
}

Test(gate_rules, every_rule_is_whole_and_stands_once)
{
    for (int i = 0; i < GATE_RULES; i++) {
        const struct gate_rule *r = &gate_rules[i];

        cr_assert(r->metric && r->meter && r->unit && r->summary, "rule %d", i);
        cr_assert(r->margin >= 0 && r->margin < 1, "%s", r->metric);
        cr_assert_eq(rule(r->metric), i, "%s stands twice", r->metric);
        cr_assert((r->tier == GATE_PAIRED) == !strcmp(r->meter, "time"));
    }
}

Test(gate_rules, chosen_metrics_are_judged_and_no_others)
{
    struct gate_choice c;
    char why[WHY] = "";
    int n = 0;

    gate_choice_init(&c);
    cr_assert_eq(
        gate_choice_metrics(&c, "cpu_per_op,rss_mean,cpu_per_op", why, WHY), 0);
    for (int i = 0; i < GATE_RULES; i++)
        n += c.is_chosen[i];
    cr_assert_eq(n, 2);
    cr_assert(c.is_chosen[rule("cpu_per_op")] && c.is_chosen[rule("rss_mean")]);
    gate_choice_counts(&c); /* somebody chose: it stays */
    cr_assert(c.is_chosen[rule("cpu_per_op")]);
}

Test(gate_rules, a_preset_choice_can_be_cut_to_counts)
{
    struct gate_choice c;

    gate_choice_init(&c);
    cr_assert(c.is_chosen[rule("mid_per_op")]);
    gate_choice_counts(&c);
    for (int i = 0; i < GATE_RULES; i++)
        cr_assert_eq(c.is_chosen[i], gate_rules[i].is_preset &&
                                         gate_rules[i].tier == GATE_EXACT);
}

static const struct {
    const char *list, *why; /* NULL: good */
} metrics[] = {
    {"sim_instructions", NULL},
    {"sim_instructions,leaked_bytes", NULL},
    {"", "\"\" (want one of: checked_ops, leaked_bytes,"},
    {"rss", "\"rss\" (want one of: checked_ops,"},
    {"cpu_per_op,", "\"\" (want one of:"},
    {"cpu_per_op,,rss_peak", "\"\" (want one of:"},
    {"cpu_per_op, rss_peak", "\" rss_peak\" (want one of:"},
    {"cpu_per_op;rss_peak", "\"cpu_per_op;rss_peak\" (want one of:"},
    {"CPU_PER_OP", "wall_per_op)"},
};

Test(gate_rules, unknown_metrics_are_named_and_change_nothing)
{
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        struct gate_choice c, before;
        char why[WHY] = "";

        memset(&c, 0, sizeof c);
        gate_choice_init(&c);
        before = c;
        int err = gate_choice_metrics(&c, metrics[i].list, why, WHY);

        cr_expect_eq(err, metrics[i].why ? EINVAL : 0, "\"%s\"",
                     metrics[i].list);
        if (!metrics[i].why)
            continue;
        cr_expect_not_null(strstr(why, metrics[i].why), "\"%s\": %s",
                           metrics[i].list, why);
        cr_expect_eq(memcmp(&c, &before, sizeof c), 0, "\"%s\"",
                     metrics[i].list);
    }
}

Test(gate_rules, a_message_fits_whatever_room_there_is)
{
    for (size_t room = 1; room < 400; room++) {
        struct gate_choice c;
        char why[WHY];

        memset(why, '#', sizeof why);
        gate_choice_init(&c);
        cr_assert_eq(gate_choice_metrics(&c, "nothing", why, room), EINVAL);
        cr_assert_not_null(memchr(why, 0, room), "room %zu", room);
        cr_assert_eq(why[room], '#', "room %zu", room);
    }
}

static const struct {
    const char *list, *why; /* NULL: good */
    double cpu, rss;        /* NaN does not occur: 0 where bad */
} margins[] = {
    {"3%", NULL, 0.03, 0.03},
    {"cpu_per_op=2%", NULL, 0.02, 0.03},
    {"cpu_per_op=2%,rss_peak=0.5 %", NULL, 0.02, 0.005},
    {"5%,rss_peak=1%", NULL, 0.05, 0.01},
    {"rss_peak=1%,0.07", NULL, 0.07, 0.07},
    {"", "want a share", 0, 0},
    {"x", "x (want a share such as 2%", 0, 0},
    {"cpu_per_op", "cpu_per_op (want a share", 0, 0},
    {"cpu_per_op=", "want a share", 0, 0},
    {"cpu_per_op=-1%", "-1% (want a share", 0, 0},
    {"cpu_per_op=1001%", "1001% (want a share", 0, 0},
    {"cpu_per_op=1%,", "want a share", 0, 0},
    {"cpu_per_op=1%=2%", "1%=2% (want a share", 0, 0},
    {"=2%", "\"\" (want one of:", 0, 0},
    {"bad=2%", "\"bad\" (want one of:", 0, 0},
    {"rss_peak=9%,bad=2%", "\"bad\" (want one of:", 0, 0},
};

Test(gate_rules, margins_are_set_all_or_none)
{
    for (size_t i = 0; i < sizeof margins / sizeof *margins; i++) {
        struct gate_choice c, before;
        char why[WHY] = "";

        memset(&c, 0, sizeof c);
        gate_choice_init(&c);
        before = c;
        int err = gate_choice_margins(&c, margins[i].list, why, WHY);

        cr_expect_eq(err, margins[i].why ? EINVAL : 0, "\"%s\": %s",
                     margins[i].list, why);
        if (margins[i].why) {
            cr_expect_not_null(strstr(why, margins[i].why), "\"%s\": %s",
                               margins[i].list, why);
            cr_expect_eq(memcmp(&c, &before, sizeof c), 0, "\"%s\"",
                         margins[i].list);
            continue;
        }
        cr_expect_float_eq(c.margin[rule("cpu_per_op")], margins[i].cpu, 1e-15,
                           "\"%s\"", margins[i].list);
        cr_expect_float_eq(c.margin[rule("rss_peak")], margins[i].rss, 1e-15,
                           "\"%s\"", margins[i].list);
    }
}
