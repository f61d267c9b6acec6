/* interpreter.h - does a compiled trace do what its operations say?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_INTERPRETER_H
#define HEAPYARD_INTERPRETER_H

#include "ops_list.h"
#include "trace.h"

enum { INTERPRETER_WHY = 200 };

/* Play the records of `trace` by a scheduler that picks threads at random, and
 * hold each one against the operations that it was compiled from:
 *
 *   - every thread does its operations, all of them, in their order, on the
 *     right objects with the right sizes and alignments;
 *   - operations on one object, and starts and joins, happen in the order of
 *     the stream;
 *   - an EV_SYNC tells the truth, and stands at most TRACE_SYNC_SPACING
 *     operations before any operation;
 *   - nobody waits for ever, with threads kept within `window` operations of
 *     each other (0: not at all);
 *   - what is left is what trace->left says, where it says.
 *
 * Returns 0, or -1 and why.  O(operations * threads). */
int interpret(const struct trace *, const struct ops_list *, uint64_t window,
              uint64_t seed, char why[INTERPRETER_WHY]);

#endif
