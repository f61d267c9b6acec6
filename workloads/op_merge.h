/* op_merge.h - several traces as one, side by side.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OP_MERGE_H
#define HEAPYARD_OP_MERGE_H

#include "address_map.h"
#include "op_file.h"

enum merge_order {
    MERGE_BY_PROGRESS, /* all begin and end together; no times */
    MERGE_BY_TIME      /* by their times, which are kept */
};

/* One of the traces; zeroed but for what is said. */
struct merge_part {
    struct op_file *ops;        /* filled and rewound; borrowed */
    unsigned first_thread;      /* what its thread 0 becomes */
    struct address_map objects; /* object + 1 to the merged number */
    struct op next;
    int is_end;
    uint64_t taken, time_ns;
};

/* Play them into a sink.  Ties go to the part that stands first.  Returns 0,
 * ENOMEM, or the error of a file or the sink. */
int op_merge(struct merge_part part[], size_t n, enum merge_order,
             struct op_sink *);

#endif
