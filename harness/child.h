/* child.h - one run, in this process: what `heapyard replay` does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CHILD_H
#define HEAPYARD_CHILD_H

#include <stddef.h>

#include "meter.h"
#include "solution.h"

struct child_config {
    const char *trace;     /* path of a run-time trace */
    const char *allocator; /* a backend, a known library or a path */
    const struct meter *meter;
    const char *options; /* of the meter, or "" */
    enum touch touch;
    uint64_t window;
    const char *facts; /* file that meter heap writes */
    int result_fd;     /* lines of meter.h; a closing "!status <tab> note" */
    int page_fd;       /* of a shared_page, or -1 */
    int unlink_trace;  /* remove its file once it is mapped */
    char preload_path[4096];       /* set by child_preload */
    struct solution_made solution; /* set by child_preload, of the source of a
                                      malloc lab solution; else path is "" */
};

/* If the allocator is the source of a malloc lab solution, have it compiled.
 * If it is a library that is not preloaded yet, put it into the
 * environment and its path into preload_path: the caller then executes this
 * program again.  If it is, prove that it serves malloc.  Returns STATUS_OK,
 * or another status and why[why_size]. */
enum status child_preload(struct child_config *, char *why, size_t why_size);

/* Do the run.  Everything that goes wrong leaves by result_fd as a status,
 * which is returned too; or ends the process (player_fail). */
enum status child_run(const struct child_config *);

#endif
