/* doctor_files.h - reads the small files of /proc and /sys below a root.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_DOCTOR_FILES_H
#define HEAPYARD_DOCTOR_FILES_H

#include <stddef.h>
#include <stdint.h>

enum { DOCTOR_TEXT = 256, DOCTOR_PATH = 4096 };

/* The first line of root/path, without its newline; "" if there is none.
 * Returns whether there is one. */
int doctor_text(const char *root, const char *path, char out[DOCTOR_TEXT]);

/* The number that root/path begins with.  Returns whether it does. */
int doctor_number(const char *root, const char *path, double *out);

/* What follows "KEY:" in root/path, from the first that is no blank. */
int doctor_value(const char *root, const char *path, const char *key,
                 char out[DOCTOR_TEXT]);

/* Call `see` with each path, below the root, that matches the pattern. */
void doctor_each(const char *root, const char *pattern,
                 void (*see)(const char *root, const char *path, void *arg),
                 void *arg);

/* How many numbers are in a list such as "0-3,8"; 0 if it is none. */
unsigned doctor_count_list(const char *list);

/* The word in brackets: "always [madvise] never".  In place. */
void doctor_chosen(char text[DOCTOR_TEXT]);

#endif
