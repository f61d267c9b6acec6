/* heaptrack.c - the raw data of heaptrack --raw.
 *
 *   v VERSION FORMAT      + SIZE TRACE ADDRESS      - ADDRESS      c MS
 *
 * all numbers hexadecimal, and other lines about the program.  Kept: sizes,
 * times.  Lost: threads, alignment, zeroing; a realloc is a free and an
 * allocation in the data already.  Interpreted data have no addresses and
 * cannot be taken.
 *
 * Source: heaptrack 1.4, written by `heaptrack --raw`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "format.h"

enum { NS_PER_MS = 1000000 };

/* "+ SIZE TRACE ADDRESS" */
static int take_birth(struct import *im, const char *at)
{
    uint64_t size, trace, address;

    if (!scan_blank(&at) || !scan_hex(&at, &size))
        return import_bad(im, "+ SIZE TRACE ADDRESS");
    if (!*at && !im->is_tail)
        return import_refuse(im, "interpreted data, which have no addresses "
                                 "(want raw data: heaptrack --raw)");
    if (!scan_blank(&at) || !scan_hex(&at, &trace) || !scan_blank(&at) ||
        !scan_hex(&at, &address) || *at)
        return import_bad(im, "+ SIZE TRACE ADDRESS");
    return import_malloc(im, 0, address, size);
}

static int take_line(struct import *im, const char *line, void *state)
{
    const char *at = line + 1;
    uint64_t v;

    (void)state;
    switch (line[0]) {
    case '+':
        return take_birth(im, at);
    case '-':
        if (!scan_blank(&at) || !scan_hex(&at, &v) || *at)
            return import_bad(im, "- ADDRESS");
        return import_dealloc(im, 0, v);
    case 'c':
        if (!scan_blank(&at) || !scan_hex(&at, &v) || *at ||
            v > UINT64_MAX / NS_PER_MS)
            return import_bad(im, "c MILLISECONDS");
        return import_time(im, v * NS_PER_MS);
    default:
        return 0;
    }
}

static int heaptrack_read(struct import *im)
{
    return import_lines(im, take_line, NULL);
}

/* "v VERSION FORMAT" is the first line. */
static int heaptrack_sniff(const char *head, size_t n)
{
    uint64_t version, format;

    (void)n;
    return scan_word(&head, "v ") && scan_hex(&head, &version) &&
           scan_blank(&head) && scan_hex(&head, &format) && *head == '\n';
}

const struct trace_format heaptrack_format = {
    .name = "heaptrack",
    .summary = "raw data of heaptrack --raw",
    .suffix = "",
    .sniff = heaptrack_sniff,
    .read = heaptrack_read,
};
