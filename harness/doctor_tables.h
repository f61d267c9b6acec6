/* doctor_tables.h - what the tables of checks share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_DOCTOR_TABLES_H
#define HEAPYARD_DOCTOR_TABLES_H

#include "doctor.h"

extern const struct doctor_check doctor_cpu_checks[], doctor_system_checks[];

/* Set the verdict and what was found. */
void doctor_find(struct doctor_finding *, enum doctor_verdict,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Set what to do, in place of what the table says. */
void doctor_todo(struct doctor_finding *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Call `see` with the folder, below the root, of our control group in the
 * hierarchy that holds the controller, and with each above it. */
void doctor_each_group(const char *root, const char *controller,
                       void (*see)(const char *root, const char *group,
                                   void *arg),
                       void *arg);

#endif
