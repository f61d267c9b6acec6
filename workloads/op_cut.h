/* op_cut.h - a part of a trace, as a sink that passes it on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OP_CUT_H
#define HEAPYARD_OP_CUT_H

#include "address_map.h"
#include "op.h"

enum cut_kind {
    CUT_EDGE, /* the begin or the end of the trace */
    CUT_PLACE,
    CUT_MARK,
    CUT_TIME
};

/* Where a part begins or ends: just before this operation. */
struct cut_bound {
    enum cut_kind kind;
    uint64_t value; /* place from 0; nanoseconds; which of the marks, from 1 */
    const char *name; /* of the mark; borrowed */
};

struct op_cut {
    struct op_sink sink; /* first: put casts back */
    struct op_feed feed; /* of the part */
    struct cut_bound from, to;
    int is_empty; /* begin with nothing live, leave out what was born before */

    int is_inside;
    uint64_t place, time_ns; /* of the whole */
    uint64_t begin_ns;
    uint64_t marks_from, marks_to; /* seen, of the names of the bounds */
    struct address_map objects;    /* see op_cut.c */
    uint64_t carried;              /* objects live at the begin */
    uint64_t left_out;             /* operations on others (is_empty) */
};

/* Its put returns ECANCELED once the part has ended.  Returns 0 or ENOMEM. */
int op_cut_init(struct op_cut *, struct op_sink *next);
void op_cut_free(struct op_cut *);

#endif
