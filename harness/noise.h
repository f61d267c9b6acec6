/* noise.h - what else the machine did: counters of the kernel at one moment.
 *
 * The difference of two readings says how much the time between them was
 * disturbed: by the host of a virtual machine (steal), and by tasks that had
 * to wait for a CPU, for memory or for a disk (pressure).
 *
 * Source: proc(5) of /proc/stat; Documentation/accounting/psi.rst of Linux.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_NOISE_H
#define HEAPYARD_NOISE_H

#include <stdint.h>

#include "exec.h"

enum pressure { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_KINDS };

struct noise {
    uint64_t ns; /* clock_wall_ns of the reading */
    int has_cpu;
    /* Ticks of sysconf(_SC_CLK_TCK) since boot, of all CPUs added up. */
    uint64_t all, idle, steal;
    int has_pressure[PRESSURE_KINDS];
    /* Time in which some task waited, since boot. */
    uint64_t pressure_us[PRESSURE_KINDS];
};

/* Read them below `root`, which is "" but in tests.  What the kernel does not
 * tell is marked as missing. */
void noise_read(const char *root, struct noise *);

/* Add what lies between two readings to a run: metrics `steal` and
 * `cpu_pressure`, in ns; one that is missing is left out.  Returns 0 or
 * ENOMEM. */
int noise_report(const struct noise *before, const struct noise *after,
                 struct outcome *);

#endif
