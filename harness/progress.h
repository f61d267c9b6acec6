/* progress.h - tells a person how far a long piece of work is.
 *
 * On a terminal one line that is written over; elsewhere a plain line now and
 * then.  Always on standard error, never mixed with results.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PROGRESS_H
#define HEAPYARD_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
    uint64_t start_ns, last_ns;
    size_t total, done;
    int is_terminal;
    int may_stop; /* before all is done; set after progress_start */
};

/* total 0: unknown. */
void progress_start(struct progress *, size_t total);
/* What is going on now: "block 2/10 memory jemalloc on server-sim". */
void progress_show(struct progress *, const char *what);
void progress_step(struct progress *);
/* Clear the line, so that something else can be printed. */
void progress_clear(const struct progress *);

#endif
