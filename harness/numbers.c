/* numbers.c - numbers that users type.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "numbers.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return EINVAL;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*end)
        return EINVAL;
    if (errno || n < min || n > max)
        return ERANGE;
    *out = n;
    return 0;
}

int real_parse(const char *text, double min, double max, double *out)
{
    char *end;
    double x;

    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return EINVAL;
    if (strpbrk(text, "xX")) /* strtod would read hexadecimal */
        return EINVAL;
    x = strtod(text, &end);
    if (*end || end == text)
        return EINVAL;
    if (!isfinite(x) || x < min || x > max)
        return ERANGE;
    *out = x;
    return 0;
}
