/* blowup.h - what an adversary made an allocator hold, beside its theorem.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_BLOWUP_H
#define HEAPYARD_BLOWUP_H

#include "exec.h"

/* If the workload has a bound (workload.h), add to an outcome that holds all
 * figures of the memory meter:
 *
 *   blowup        ratio: memory held over live bytes, as the bound has it
 *   blowup_bound  ratio: what the theorem says, exact; its note says which
 *
 * Neither, if there is no memory or nothing live to compare.
 *
 * Returns 0 or ENOMEM. */
int blowup_report(const struct trace_request *, unsigned threads,
                  struct outcome *);

#endif
