/* mark_at.h - how a mark of a trace is called in the column `at`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MARK_AT_H
#define HEAPYARD_MARK_AT_H

#include "trace.h"

enum { MARK_AT_SIZE = 48 /* bytes: as struct row's at */ };

/* Write "mark:NAME" for mark i of the trace; a name that an earlier mark has
 * too, such as the "peak" of the trace itself, becomes "mark:NAME#2", and so
 * on, so that no two marks of a trace are called the same. */
void mark_at(const struct trace *, unsigned i, char at[MARK_AT_SIZE]);

#endif
