/* environment.h - what tells one machine, and one day, from another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ENVIRONMENT_H
#define HEAPYARD_ENVIRONMENT_H

#include <stddef.h>

enum { SESSION_MAX = 24 };

/* A name for this session: UTC date and time, and the process. */
void environment_session(char out[SESSION_MAX]);

/* The time now as UTC, ISO 8601, in out[size]; size 21 or more. */
void environment_date(char *out, size_t size);

/* Append this machine's facts to the CSV file at path (session,key,value),
 * with a header if the file is new.  Whatever cannot be found out is written
 * as "unknown".  Returns 0 or an errno. */
int environment_append(const char *path, const char *session);

/* One fact of this machine by its key ("cpu"), in out[size]; "unknown" if it
 * cannot be found out, or if there is no such key. */
void environment_fact(const char *key, char *out, size_t size);

/* Whether "NAME=VALUE" changes what an allocator does. */
int environment_is_tuning(const char *variable);

/* One line for captions: CPU, number of CPUs, kernel, libc. */
void environment_line(char *out, size_t size);

#endif
