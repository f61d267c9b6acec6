/* meter_check.c - the allocator kept its contract, and how tightly it packs.
 *
 * A fault ends the run in player_fail with status corrupt; a run that comes
 * to its end has checked every operation.  Since the check replayer knows
 * every live block, it also counts what a time or memory run cannot: usable
 * over requested bytes, and how full the touched pages are, at the trace's
 * peak.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "check_ops.h"
#include "meter.h"

struct check_meter_state {
    struct check_packing at_peak; /* blocks 0: not taken */
};

static void check_nothing(void *arg)
{
    (void)arg;
}

static void check_mark(void *arg, unsigned mark)
{
    struct run_context *run = arg;
    struct check_meter_state *s = run->meter_state;
    struct check_packing packing;

    if (mark == 0 && !check_pack(run->checked, &packing))
        s->at_peak = packing;
}

static void report_packing(struct run_context *run)
{
    const struct check_meter_state *s = run->meter_state;
    const struct check_packing *at = &s->at_peak;
    double peak = (double)run->trace->totals.peak_bytes;

    if (at->requested)
        emit_value(run, "internal_frag", "mark:peak", "ratio",
                   (double)at->usable / (double)at->requested);
    if (at->page_bytes)
        emit_value(run, "page_occupancy", "mark:peak", "ratio",
                   (double)at->requested / (double)at->page_bytes);
    if (peak > 0)
        emit_value(run, "fidelity", "", "ratio",
                   (double)check_peak(run->checked) / peak);
}

static void report_blocks(struct run_context *run)
{
    struct player p = {.allocator = run->allocator,
                       .heap = run->heap,
                       .result_fd = run->result_fd};
    size_t left = check_left(run->checked, &p);

    if (left != run->trace->totals.left_blocks)
        player_fail(&p, STATUS_ERROR, "%zu blocks left (want %llu)", left,
                    (unsigned long long)run->trace->totals.left_blocks);
    report_packing(run);
}

/* A native workload writes what it likes into its blocks, and verifies that
 * itself: a run that comes to its end was right. */
static void check_report(struct run_context *run)
{
    if (!run->trace->native)
        report_blocks(run);
    emit_value(run, "checked_ops", "", "1", (double)replay_ops(run->replay));
}

const struct meter meter_check = {
    .name = "check",
    .summary = "contents, alignment, overlap, usable size, zeroing; packing",
    .ops = &check_ops,
    .state_bytes = sizeof(struct check_meter_state),
    .start = check_nothing,
    .stop = check_nothing,
    .mark = check_mark,
    .report = check_report,
};
