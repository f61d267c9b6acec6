/* callgrind_totals.h - the totals in a file that callgrind wrote.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CALLGRIND_TOTALS_H
#define HEAPYARD_CALLGRIND_TOTALS_H

#include <stddef.h>
#include <stdint.h>

/* The caches that are simulated, whatever the machine has, and how callgrind
 * describes them: its form on the command line is bytes,ways,line. */
#define CALLGRIND_I1 "32768,8,64"
#define CALLGRIND_D1 "32768,8,64"
#define CALLGRIND_LL "8388608,16,64"
#define CALLGRIND_CACHES                                                       \
    "I1 32 KiB 8-way, D1 32 KiB 8-way, LL 8 MiB 16-way, 64-byte lines"

enum { CALLGRIND_VERSION_MAX = 16 };

struct callgrind_totals {
    char version[CALLGRIND_VERSION_MAX]; /* "3.19.0" */
    uint64_t instructions;
    uint64_t branches, branch_misses; /* conditional and indirect */
    /* Only with caches: */
    uint64_t i1_misses, d1_misses, ll_misses; /* lines; reads and writes */
};

/* Read text[n], a file with one dump or several: the last one counts.
 *
 * with_caches: whether caches were simulated; they must be those above.
 * Returns 0, or EBADMSG and why: no whole dump, an event that is missing,
 * a number that is none, or nothing counted. */
int callgrind_totals_parse(const char *text, size_t n, int with_caches,
                           struct callgrind_totals *out, char *why,
                           size_t why_size);

#endif
