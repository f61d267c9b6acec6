/* misuse.h - what an allocator says when its caller is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MISUSE_H
#define HEAPYARD_MISUSE_H

/* Write one line to standard error, "heapyard WHO: WHAT: 0x…", and abort.
 * Allocates nothing and takes no lock, so it works wherever malloc does. */
_Noreturn void misuse_abort(const char *who, const char *what, const void *p);

#endif
