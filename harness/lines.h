/* lines.h - text files line by line, with nothing lost in silence.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LINES_H
#define HEAPYARD_LINES_H

#include <stddef.h>
#include <stdio.h>

/* Read the next line into line[size], without its LF or CRLF.
 *
 * ended  set to 0 if the file ends within the line, else to 1
 *
 * Returns 0; ENODATA after the last line; E2BIG if the line does not fit,
 * EILSEQ if it holds a NUL byte, or EIO. */
int line_read(FILE *, char *line, size_t size, int *ended);

/* What an E2BIG, EILSEQ or EIO of line_read means, for messages. */
const char *line_fault(int err);

#endif
