/* meter_check.c - no figure but a verdict: the allocator kept its contract.
 *
 * A fault ends the run in player_fail with status corrupt; a run that comes
 * to its end has checked every operation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "check_ops.h"
#include "meter.h"

static void check_nothing(void *arg)
{
    (void)arg;
}

static void check_report(struct run_context *run)
{
    struct player p = {.allocator = run->allocator,
                       .heap = run->heap,
                       .result_fd = run->result_fd};
    size_t left = check_left(run->checked, &p);

    if (left != run->trace->totals.left_blocks)
        player_fail(&p, STATUS_ERROR, "%zu blocks left (want %llu)", left,
                    (unsigned long long)run->trace->totals.left_blocks);
    emit_value(run, "checked_ops", "", "1", (double)run->trace->totals.ops);
}

const struct meter meter_check = {
    .name = "check",
    .summary = "contents, alignment, overlap, usable size, zeroing",
    .ops = &check_ops,
    .state_bytes = 1,
    .start = check_nothing,
    .stop = check_nothing,
    .report = check_report,
};
