/* meeting.c - threads wait for each other awake.
 *
 * Invariant: held is raised by the last of each round, when came is 0 again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meeting.h"

#include <sched.h>

void meeting_wait(struct meeting *m, unsigned threads)
{
    const unsigned held = atomic_load(&m->held);

    if (atomic_fetch_add(&m->came, 1) + 1 == threads) {
        atomic_store(&m->came, 0);
        atomic_store(&m->held, held + 1);
        return;
    }
    while (atomic_load(&m->held) == held)
        sched_yield();
}
