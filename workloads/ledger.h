/* ledger.h - verifies an operation stream and keeps its running totals.
 *
 * A sink: it refuses what is not well formed by op.h, and knows at each
 * moment what is live.  `archive_write` and `trace_info` keep one; `trace
 * check` is one.
 *
 * Places count from 0 in the global order and leave out OP_TIME, as in
 * trace.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LEDGER_H
#define HEAPYARD_LEDGER_H

#include <stdint.h>

#include "live_map.h"
#include "op.h"

enum { LEDGER_WHY_SIZE = 160 };

struct ledger {
    struct op_sink sink; /* first: its put is ledger_apply without `before` */
    struct live_map live;
    uint64_t ops;   /* all but OP_TIME: the place of the next one */
    uint64_t times; /* OP_TIME */
    uint64_t births;
    uint64_t live_bytes;  /* at most INT64_MAX, else the stream is refused */
    uint64_t peak_bytes;  /* most live bytes at once */
    uint64_t peak_blocks; /* live at that moment */
    uint64_t peak_place;  /* of the operation that reached it first */
    uint64_t time_ns;     /* of the last OP_TIME */
    unsigned threads;     /* highest number that acted, was started or
                             awaited, plus one */
    char why[LEDGER_WHY_SIZE]; /* after EBADMSG: place and reason */
};

/* Returns 0 or ENOMEM. */
int ledger_init(struct ledger *);
void ledger_free(struct ledger *);

/* Check op and enter it.  For OP_RESIZE, OP_FREE and OP_TOUCH *before is the
 * object as it was; otherwise it is all 0.
 *
 * Returns 0, ENOMEM, or EBADMSG with ledger->why; then nothing was entered. */
int ledger_apply(struct ledger *, const struct op *, struct live *before);

/* How many objects are live; their bytes are live_bytes. */
static inline uint64_t ledger_blocks(const struct ledger *l)
{
    return l->live.count;
}

/* Bytes that a mark's name may not hold: it is printed on terminals. */
int ledger_name_is_bad(const char *name);

#endif
