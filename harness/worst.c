/* worst.c - the longest of many calls, with what was seen around each.
 *
 * Invariant: call[0 .. n) falls in ticks; equal ones stand in the order in
 * which they came.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worst.h"

void worst_add(struct worst *w, const struct worst_call *call)
{
    unsigned i;

    if (!worst_takes(w, call->ticks))
        return;
    if (w->n < WORST_CALLS)
        w->n++;
    for (i = w->n - 1; i > 0 && w->call[i - 1].ticks < call->ticks; i--)
        w->call[i] = w->call[i - 1];
    w->call[i] = *call;
    if (w->n == WORST_CALLS)
        w->least = w->call[WORST_CALLS - 1].ticks;
}
