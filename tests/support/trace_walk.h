/* trace_walk.h - is a mapped trace what trace_map promises?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_WALK_H
#define HEAPYARD_TRACE_WALK_H

#include "trace.h"

/* Walk all threads and read all tables.  Returns NULL, or what of the
 * invariant at the top of trace.c does not hold. */
const char *trace_walk(const struct trace *);

#endif
