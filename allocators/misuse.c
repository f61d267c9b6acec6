/* misuse.c - one line on standard error, and the end of the process.
 *
 * After a double free or an overflow the heap can no longer be trusted, and
 * the place where it was noticed is the best that a debugger can be given.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "misuse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 256, DIGITS = 2 * sizeof(void *) };

static char *append(char *at, const char *end, const char *text)
{
    while (*text && at < end)
        *at++ = *text++;
    return at;
}

_Noreturn void misuse_abort(const char *who, const char *what, const void *p)
{
    static const char digit[] = "0123456789abcdef";
    char line[LINE_MAX_BYTES];
    const char *const end = line + sizeof line - DIGITS - 1;
    char *at = append(line, end, "heapyard ");

    at = append(at, end, who);
    at = append(at, end, ": ");
    at = append(at, end, what);
    at = append(at, end, ": 0x");
    for (int shift = 4 * (DIGITS - 1); shift >= 0; shift -= 4)
        *at++ = digit[(uintptr_t)p >> shift & 15];
    *at++ = '\n';
    if (write(STDERR_FILENO, line, (size_t)(at - line)) < 0)
        abort(); /* nobody listens */
    abort();
}
