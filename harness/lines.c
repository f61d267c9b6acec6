/* lines.c - text files line by line, with nothing lost in silence.
 *
 * fgets would hide a NUL byte, and what stands behind it on the line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lines.h"

#include <errno.h>

int line_read(FILE *file, char *line, size_t size, int *ended)
{
    size_t n = 0;
    int byte;

    while ((byte = getc(file)) != EOF && byte != '\n') {
        if (!byte)
            return EILSEQ;
        if (n + 1 == size)
            return E2BIG;
        line[n++] = (char)byte;
    }
    if (ferror(file))
        return EIO;
    *ended = byte == '\n';
    if (!*ended && !n)
        return ENODATA;
    n -= *ended && n && line[n - 1] == '\r';
    line[n] = 0;
    return 0;
}

const char *line_fault(int err)
{
    if (err == E2BIG)
        return "line is too long";
    return err == EILSEQ ? "line holds a NUL byte" : "cannot be read";
}
