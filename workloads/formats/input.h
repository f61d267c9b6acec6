/* input.h - the bytes of a file or of standard input, unpacked.
 *
 * What is packed is seen by its first bytes: gzip, zstd, or a zip archive
 * (its first member, deflated).  Nothing is held but a window.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_INPUT_H
#define HEAPYARD_INPUT_H

#include <stddef.h>
#include <stdint.h>

enum { INPUT_WHY_SIZE = 512 };

struct input;

/* Open path, or standard input if it is "-".  Returns 0 or an errno, which
 * why[why_size] says. */
int input_open(const char *path, struct input **out, char *why,
               size_t why_size);
/* The same from memory, borrowed until input_close: for tests and fuzzing. */
int input_open_memory(const void *bytes, size_t n, struct input **out,
                      char *why, size_t why_size);
void input_close(struct input *);

/* Read up to size bytes into buffer; *got == 0 is the end.  Returns 0,
 * EBADMSG if what is packed is damaged, or an errno; input_why says it. */
int input_read(struct input *, void *buffer, size_t size, size_t *got);

/* Whether the end came in the middle of what is packed. */
int input_is_cut(const struct input *);
const char *input_why(const struct input *);
/* "gzip", "zstd", "zip", or "" */
const char *input_packing(const struct input *);

#endif
