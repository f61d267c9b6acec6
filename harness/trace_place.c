/* trace_place.c - the place of a record in the global order of its trace.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_place.h"

#include <string.h>

static const uint8_t payloads[EV_OPS] = {
    [EV_RESIZE] = 2,     [EV_ALLOC_WIDE] = 1, [EV_FREE_WIDE] = 1,
    [EV_TOUCH_WIDE] = 1, [EV_SEND] = 1,       [EV_RECV] = 1,
    [EV_SYNC] = 1,
};

/* Whether the record is an operation of the trace by itself.  Spawns and joins
 * have records in two threads, and are left out: a range may be too wide. */
static int is_operation(const struct event *e)
{
    switch ((enum event_op)event_op(*e)) {
    case EV_ALLOC:
    case EV_ZALLOC:
    case EV_FREE:
    case EV_ALLOC_SEND:
    case EV_RECV_FREE:
    case EV_TOUCH:
    case EV_RESIZE:
    case EV_ALLOC_WIDE:
    case EV_FREE_WIDE:
    case EV_TOUCH_WIDE:
        return 1;
    case EV_MARK:
        return event_slot(*e) != 0; /* mark 0, "peak", is the compiler's */
    default:
        return 0;
    }
}

struct place_range trace_place_of(const struct trace *trace, unsigned thread,
                                  uint64_t record, uint64_t after)
{
    const struct event *e = trace->thread[thread].events + record;
    uint64_t next = trace->totals.ops, own = 0;

    for (; event_op(*e) != EV_END; e += 1 + payloads[event_op(*e)]) {
        if (event_op(*e) == EV_SYNC) {
            memcpy(&next, e + 1, sizeof next);
            break;
        }
        own += (uint64_t)is_operation(e);
    }
    const uint64_t last = next - own;

    return (struct place_range){trace->threads == 1 ? last : after, last};
}
