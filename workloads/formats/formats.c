/* formats.c - the table of trace formats of other programs.
 *
 * Sniffing goes from the strictest to the laxest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "format.h"

enum { LINES_SNIFFED = 200 };

const struct trace_format *const trace_formats[] = {
    &android_format,    &heaptrack_format,
    &lttng_format,      &logalloc_format,
    &valgrind_format,   &mtrace_format,
    &rep_format,        &rep_3e_format,
    &rep_2004_format,   &rep_xv6_format,
    &glibc_wl_format,   &glibc_raw_format,
    &webkit_ops_format, NULL,
};

const struct trace_format *format_find(const char *name)
{
    for (const struct trace_format *const *f = trace_formats; *f; f++)
        if (!strcmp((*f)->name, name))
            return *f;
    return NULL;
}

const struct trace_format *format_sniff(const char *head, size_t n)
{
    for (const struct trace_format *const *f = trace_formats; *f; f++)
        if ((*f)->sniff && (*f)->sniff(head, n))
            return *f;
    return NULL;
}

const struct trace_format *format_of_suffix(const char *path)
{
    size_t length = strlen(path);

    for (const struct trace_format *const *f = trace_formats; *f; f++) {
        size_t n = strlen((*f)->suffix);

        if (n && length > n && !strcmp(path + length - n, (*f)->suffix))
            return *f;
    }
    return NULL;
}

int format_has_line(const char *head, size_t n,
                    int (*is_line)(const char *line))
{
    const char *end = head + n;

    for (int i = 0; i < LINES_SNIFFED && head < end; i++) {
        const char *newline = memchr(head, '\n', (size_t)(end - head));

        if (is_line(head))
            return 1;
        if (!newline)
            return 0;
        head = newline + 1;
    }
    return 0;
}
