/* rss.h - private resident memory of a process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RSS_H
#define HEAPYARD_RSS_H

#include <stdint.h>
#include <sys/types.h>

/* RssAnon of /proc/PID/status, and the blocks of memory files that the process
 * has open (memfd_create), in bytes (pid 0: this process): an estimate, whole
 * pages, and on kernels that count pages by CPU off by up to 64 pages a CPU.
 * Returns 0 or an errno (ENOENT, ESRCH: the process is gone).  Calls no
 * malloc; about 25 us. */
int rss_held(pid_t pid, uint64_t *bytes);

/* Pss of /proc/PID/smaps_rollup, in bytes: exact at that moment, each page
 * divided by how many processes map it.  Returns as rss_held does. */
int rss_shared_out(pid_t pid, uint64_t *bytes);

#endif
