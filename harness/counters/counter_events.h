/* counter_events.h - which hardware events to count, as the user asked.
 *
 *   events=cycles+instructions+r01c2   names of libpfm, or raw codes rHEX
 *   kernel=1                           count in the kernel too
 *
 * Options are separated by ':', which libpfm's names hold too
 * (spr::INST_RETIRED:ANY_P), so an option ends only where another begins.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COUNTER_EVENTS_H
#define HEAPYARD_COUNTER_EVENTS_H

#include <stddef.h>
#include <stdint.h>

enum {
    COUNTER_EVENTS_MAX = 24,
    COUNTER_NAME_MAX = 41, /* "NAME_per_op" is a metric of at most 47 bytes */
    COUNTER_UNKNOWN = -1   /* beside errnos: libpfm knows no such event here */
};

/* What the kernel wants to know of an event: see perf_event_open(2). */
struct counter_code {
    uint32_t type;
    uint64_t config, config1, config2;
    uint8_t exclude_user, exclude_kernel, exclude_hv;
};

struct counter_event {
    char name[COUNTER_NAME_MAX];   /* libpfm's, or rHEX */
    char metric[COUNTER_NAME_MAX]; /* of samples.csv */
    unsigned group;                /* wanted: those of one number together */
    int is_raw;                    /* the code is complete */
    int is_software; /* counted by the kernel: 0 is a value like others */
    int err;         /* 0, an errno, or COUNTER_UNKNOWN: cannot be opened */
    struct counter_code code;
};

struct counter_list {
    struct counter_event event[COUNTER_EVENTS_MAX];
    unsigned n;
    int kernel; /* count there too */
};

/* The list for options ("" for the default one).  Instructions are always in
 * it: what a count of nothing means depends on them.  Codes of names are left
 * to counter_names_encode.  Returns 0, or EINVAL and why[why_size], which
 * names the option, the value and what would be right. */
int counter_events_parse(const char *options, struct counter_list *out,
                         char *why, size_t why_size);

/* Where an event with this metric stands, or -1. */
int counter_events_find(const struct counter_list *, const char *metric);

#endif
