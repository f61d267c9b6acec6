/* trace_place.h - the place of a record in the global order of its trace.
 *
 * A compiled trace has places only now and then (EV_SYNC), so the next one is
 * looked for and the operations up to it are counted back.  With one thread
 * that is exact; with several, a range.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_PLACE_H
#define HEAPYARD_TRACE_PLACE_H

#include "trace.h"

struct place_range {
    uint64_t first, last; /* inclusive; alike with one thread */
};

/* Where the operation of that record of the thread stands, as `heapyard trace
 * dump` numbers operations, from 0.
 *
 * record  index of the first record of an alloc, free, resize or touch
 * after   a place that its thread had reached when it came to the record
 *
 * At most TRACE_SYNC_SPACING operations are looked at with one thread. */
struct place_range trace_place_of(const struct trace *, unsigned thread,
                                  uint64_t record, uint64_t after);

#endif
