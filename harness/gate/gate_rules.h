/* gate_rules.h - which metrics the gate judges, and by which margin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_RULES_H
#define HEAPYARD_GATE_RULES_H

#include <stddef.h>

#include "gate.h"

struct gate_rule {
    const char *metric;
    const char *meter; /* with its options */
    const char *unit;
    enum gate_tier tier;
    double margin; /* relative: 0.01 is one per cent */
    int less_is_better;
    int is_preset;  /* judged if no --metrics says otherwise */
    int of_machine; /* it depends on the CPU model and the C library, so a
                       baseline of another one is refused */
    const char *summary;
};

enum { GATE_RULES = 13 };
extern const struct gate_rule gate_rules[GATE_RULES];

/* Which of gate_rules are judged, and their margins. */
struct gate_choice {
    int is_preset; /* nobody has chosen */
    int is_chosen[GATE_RULES];
    double margin[GATE_RULES];
};

void gate_choice_init(struct gate_choice *);
/* Leave out what is compared in pairs only, unless somebody chose it. */
void gate_choice_counts(struct gate_choice *);
/* "cpu_per_op,sim_instructions": these and no others.  Returns 0, or EINVAL
 * and why. */
int gate_choice_metrics(struct gate_choice *, const char *list, char *why,
                        size_t why_size);
/* "cpu_per_op=2%,rss_peak=5%", or "3%" for all of them. */
int gate_choice_margins(struct gate_choice *, const char *list, char *why,
                        size_t why_size);

/* "1%", "0.5 %" or "0.01" as a share; min and max included.  Returns 0 or
 * EINVAL. */
int share_parse(const char *text, double min, double max, double *out);

#endif
