/* gate_rules.c - which metrics the gate judges, and by which margin.
 *
 * Simulated counts of one binary repeat bit for bit, so their margin only
 * keeps a few stray instructions from crying wolf.  Memory is read by the
 * kernel's pages and at the sampler's pace; its margins are above what runs of
 * one binary differ by (results/README.md).  The margin of CPU time is the
 * change that a user wants to hear of; `heapyard calibrate` says whether this
 * machine can tell it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "numbers.h"

#define SIMULATED "simulated"

const struct gate_rule gate_rules[GATE_RULES] = {
    {"checked_ops", "check", "1", GATE_EXACT, 0, 0, 1, 0,
     "operations found right by the check replayer: correctness"},
    {"leaked_bytes", "leak", "bytes", GATE_EXACT, 0, 1, 1, 0,
     "held beyond what the trace leaves"},
    {"sim_instructions", SIMULATED, "1", GATE_EXACT, 0.0005, 1, 1, 1,
     "instructions of the replay, simulated"},
    {"sim_branch_misses", SIMULATED, "1", GATE_EXACT, 0.02, 1, 1, 1,
     "mispredicted branches, simulated"},
    {"sim_i1_misses", SIMULATED, "1", GATE_EXACT, 0.1, 1, 0, 1,
     "misses of the level-1 instruction cache, simulated"},
    {"sim_d1_misses", SIMULATED, "1", GATE_EXACT, 0.01, 1, 1, 1,
     "misses of the level-1 data cache, simulated"},
    {"sim_ll_misses", SIMULATED, "1", GATE_EXACT, 0.02, 1, 1, 1,
     "misses of the last-level cache, simulated"},
    {"rss_peak", "memory", "bytes", GATE_EXACT, 0.03, 1, 1, 0,
     "largest footprint"},
    {"rss_mean", "memory", "bytes", GATE_EXACT, 0.05, 1, 0, 0,
     "footprint, mean over time"},
    {"frag_at_peak_live", "memory", "ratio", GATE_EXACT, 0.03, 1, 1, 0,
     "footprint over live bytes where most are live"},
    {"mid_per_op", "time", "ns", GATE_PAIRED, 0.01, 1, 1, 1,
     "time of an operation in the middle half of the slices of a pair"},
    {"cpu_per_op", "time", "ns", GATE_PAIRED, 0.01, 1, 0, 1,
     "CPU time of an operation, in pairs"},
    {"wall_per_op", "time", "ns", GATE_PAIRED, 0.03, 1, 0, 1,
     "wall time of an operation, in pairs"},
};

void gate_choice_init(struct gate_choice *c)
{
    c->is_preset = 1;
    for (int i = 0; i < GATE_RULES; i++) {
        c->is_chosen[i] = gate_rules[i].is_preset;
        c->margin[i] = gate_rules[i].margin;
    }
}

void gate_choice_counts(struct gate_choice *c)
{
    for (int i = 0; i < GATE_RULES && c->is_preset; i++)
        c->is_chosen[i] &= gate_rules[i].tier == GATE_EXACT;
}

int share_parse(const char *text, double min, double max, double *out)
{
    char number[32];
    size_t n = strlen(text);
    int is_percent = n > 0 && text[n - 1] == '%';

    n -= (size_t)is_percent;
    while (n > 0 && text[n - 1] == ' ')
        n--;
    if (n == 0 || n >= sizeof number)
        return EINVAL;
    memcpy(number, text, n);
    number[n] = 0;
    double unit = is_percent ? 0.01 : 1.0;
    double value;

    if (real_parse(number, min / unit, max / unit, &value))
        return EINVAL;
    *out = value * unit;
    return 0;
}

/* The rule of a metric, or -1 and why with all names. */
static int find_rule(const char *name, size_t length, char *why,
                     size_t why_size)
{
    size_t n;

    for (int i = 0; i < GATE_RULES; i++)
        if (strlen(gate_rules[i].metric) == length &&
            !memcmp(gate_rules[i].metric, name, length))
            return i;
    n = (size_t)snprintf(why, why_size, "\"%.*s\" (want one of:",
                         (int)(length < 60 ? length : 60), name);
    for (int i = 0; i < GATE_RULES && n < why_size; i++)
        n += (size_t)snprintf(why + n, why_size - n, "%s %s", i ? "," : "",
                              gate_rules[i].metric);
    if (n + 1 < why_size)
        strcat(why, ")");
    return -1;
}

int gate_choice_metrics(struct gate_choice *c, const char *list, char *why,
                        size_t why_size)
{
    int chosen[GATE_RULES] = {0};

    do {
        size_t length = strcspn(list, ",");
        int rule = find_rule(list, length, why, why_size);

        if (rule < 0)
            return EINVAL;
        chosen[rule] = 1;
        list += length;
    } while (*list++ == ',');
    memcpy(c->is_chosen, chosen, sizeof chosen);
    c->is_preset = 0;
    return 0;
}

/* name: NULL for all of them. */
static int set_margin(double margin[], const char *name, size_t length,
                      const char *value, char *why, size_t why_size)
{
    double share;

    if (share_parse(value, 0, 10, &share)) {
        snprintf(why, why_size, "%.40s (want a share such as 2%%, 0%%..1000%%)",
                 value);
        return EINVAL;
    }
    int rule = name ? find_rule(name, length, why, why_size) : 0;

    if (rule < 0)
        return EINVAL;
    if (name)
        margin[rule] = share;
    for (int i = 0; i < GATE_RULES && !name; i++)
        margin[i] = share;
    return 0;
}

int gate_choice_margins(struct gate_choice *c, const char *list, char *why,
                        size_t why_size)
{
    double margin[GATE_RULES];
    int err = 0;

    memcpy(margin, c->margin, sizeof margin);
    do {
        char part[96];
        size_t length = strcspn(list, ",");

        snprintf(part, sizeof part, "%.*s", (int)(length < 95 ? length : 95),
                 list);
        char *equals = strchr(part, '=');

        err = set_margin(margin, equals ? part : NULL,
                         equals ? (size_t)(equals - part) : 0,
                         equals ? equals + 1 : part, why, why_size);
        list += length;
    } while (!err && *list++ == ',');
    if (!err)
        memcpy(c->margin, margin, sizeof margin);
    return err;
}
