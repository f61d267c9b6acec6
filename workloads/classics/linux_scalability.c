/* linux_scalability.c - a block, again and again.
 *
 * Each thread allocates a block and frees it, many times.  Nothing lives, no
 * size changes, nothing is shared: the fastest path of an allocator, and
 * whether threads have it each for itself.
 *
 * Source: malloc-test of C. Lever & D. Boreham, "malloc() Performance in a
 * Multithreaded Linux Environment", USENIX 2000 (FREENIX), as it stands among
 * the benchmarks of Hoard under this name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "lockstep.h"
#include "workload.h"

enum { KNOB_SIZE, KNOB_PAIRS };

/* clang-format off */
static const struct knob linux_scalability_knobs[] = {
[KNOB_SIZE] = {"size", "bytes", 512, 1, 0x1p30,
    "of a block", NULL},
[KNOB_PAIRS] = {"pairs", "1", 1e6, 1, 1e12,
    "of an allocation and a free in each thread, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

static int linux_scalability_compose(const struct knob_values *values,
                                     uint64_t seed, unsigned threads,
                                     double scale, struct op_feed *feed)
{
    double pairs = values->v[KNOB_PAIRS] * scale;
    struct lockstep l;
    int err = lockstep_init(&l, feed, 1, 0, threads);

    (void)seed; /* nothing is random */
    if (err)
        return err;
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    for (uint64_t i = 0; (i == 0 || i < (uint64_t)pairs) && !feed->err; i++) {
        lockstep_alloc(&l, 0, (uint64_t)values->v[KNOB_SIZE]);
        lockstep_release(&l, 0);
    }
    lockstep_flush(&l);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    lockstep_free(&l);
    return feed->err;
}

const struct workload linux_scalability_workload = {
    .name = "linux-scalability",
    .summary = "a block is allocated and freed again (2 M ops a thread)",
    .source = "malloc-test: Lever & Boreham, USENIX 2000; Hoard's name for it",
    .version = 1,
    .knobs = linux_scalability_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .compose = linux_scalability_compose,
};
