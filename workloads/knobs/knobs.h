/* knobs.h - figures that users may set, of a workload or of an allocator.
 *
 * A leaf: it uses nothing of ours, and workloads and allocators both use it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_KNOBS_H
#define HEAPYARD_KNOBS_H

#include <stddef.h>
#include <stdio.h>

enum { KNOBS_MAX = 40 }; /* of one owner */

/* One figure that users may set, as name=value. */
struct knob {
    const char *name;
    const char *unit; /* "bytes", "events", …: whole numbers; "%", "1" (a
                         plain number): fractions too */
    double preset;    /* the default */
    double min, max;  /* inclusive */
    const char *help;
    /* NULL-ended names of the values 0, 1, 2 … or NULL for a number */
    const char *const *choices;
};

/* The values of an owner's knobs, in the order of its table. */
struct knob_values {
    double v[KNOBS_MAX];
};

/* Fill values with the presets of knobs (a table ended by a knob without a
 * name), then apply `text`, a list such as "profile=B:sessions=100" (or "" or
 * NULL).  Knobs in bytes take k, m, g suffixes (1024-based).
 *
 * Returns 0; or EINVAL, and why[why_size] says in one line, which begins with
 * owner, what was wrong and what would be right.  Allocates nothing. */
int knobs_parse(const char *owner, const struct knob *knobs, const char *text,
                struct knob_values *values, char *why, size_t why_size);

/* For owners with knobs min and max, in bytes: is min at most max?  If not,
 * EINVAL and why, as above. */
int knobs_check_min(const char *owner, double min, double max, char *why,
                    size_t why_size);

/* Write one line a knob: name, default, range or choices, unit, help. */
void knobs_print(FILE *, const struct knob *knobs);

#endif
