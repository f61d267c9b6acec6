/* doctor.h - what is wrong with this machine, before one measures on it.
 *
 * A table of checks, each a small function from the files of /proc and /sys
 * (below a root, so that tests can make them up) to a verdict.  What changes
 * by the moment is read twice, at both ends of a short span.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_DOCTOR_H
#define HEAPYARD_DOCTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "noise.h"

enum doctor_verdict {
    DOCTOR_OK,
    DOCTOR_NOTE, /* good to know: it moves figures, alike for all allocators */
    DOCTOR_BAD   /* figures taken now would be worth little */
};

struct doctor_finding {
    enum doctor_verdict verdict;
    char found[256];
    char todo[256]; /* a command, or "" */
};

/* What the checks look at. */
struct doctor {
    const char *root;         /* "" but in tests; borrowed, as all here */
    char *const *environment; /* as environ */
    char missing[256];        /* packages, separated by spaces */
    int has_disk;
    uint64_t disk_free; /* bytes, where results go */
    struct noise before, after;
    uint64_t throttled_before, throttled_after; /* times since boot */
};

struct doctor_check {
    const char *name;
    void (*look)(const struct doctor *, struct doctor_finding *);
    const char *why;  /* it matters */
    const char *todo; /* a command or advice, unless the finding has its own */
};

/* Tables, each ended by a check without a name; ended by NULL. */
extern const struct doctor_check *const doctor_tables[];

/* Collect what the checks look at; takes sample_ms.
 *
 * folder  where results go; it need not be there yet */
void doctor_open(struct doctor *, const char *root, const char *folder,
                 unsigned sample_ms);

/* Carry out one check. */
void doctor_look(const struct doctor *, const struct doctor_check *,
                 struct doctor_finding *);

/* The root for users: $HEAPYARD_ROOT, a copy of another machine's /proc and
 * /sys or one that a test made up; else "". */
const char *doctor_root(void);

/* One line on `to` for each check that is bad; takes 0.1 s. */
void doctor_warn(const char *verb, const char *folder, FILE *to);

#endif
