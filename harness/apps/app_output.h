/* app_output.h - what a run of a program left in files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_OUTPUT_H
#define HEAPYARD_APP_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

/* The sum of cksum(1) and the size of a file.  Returns 0 or an errno. */
int app_output_cksum(const char *path, uint32_t *sum, uint64_t *bytes);

/* The last line of a file that says something of the program: "" if there is
 * none.  hyperfine's own remarks are passed over. */
void app_output_last_line(const char *path, char *out, size_t size);

/* The one number that a file holds.  Returns 0 or EBADMSG. */
int app_output_number(const char *path, double *out);

#endif
