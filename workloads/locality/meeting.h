/* meeting.h - threads wait for each other awake.
 *
 * A barrier that lets threads sleep wakes all of them on one CPU, and what
 * follows is over before the kernel has spread them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MEETING_H
#define HEAPYARD_MEETING_H

#include <stdatomic.h>

struct meeting { /* zeroed at first */
    _Atomic unsigned came, held;
};

/* Until so many threads have called it; then it may be used again. */
void meeting_wait(struct meeting *, unsigned threads);

#endif
