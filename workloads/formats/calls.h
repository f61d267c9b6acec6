/* calls.h - a call as text: "calloc(10,20)=0x7f90495120e0".
 *
 * What logalloc and valgrind write, and what C and C++ call their functions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CALLS_H
#define HEAPYARD_CALLS_H

#include "import.h"

/* Take the call that `text` is, all of it.  Labels before numbers ("size 5"),
 * "#" before them and blanks are allowed; a nested call behind the first one
 * is skipped.  Returns as import_malloc. */
int calls_take(struct import *, uint64_t thread, const char *text);

/* Whether text begins as a call of a function that gives or takes memory. */
int calls_is_one(const char *text);

#endif
