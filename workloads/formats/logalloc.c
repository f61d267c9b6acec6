/* logalloc.c - the logs of Mozilla's logalloc, a replace-malloc library.
 *
 *   PID TID malloc(32)=0x7f90495120e0
 *
 * and without TID in old ones; or munged for its replay, where blocks have
 * numbers: "1 1 malloc(32)=#1".  All is kept; of several processes one is
 * taken.
 *
 * Source: Mozilla, memory/replace/logalloc/README.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "calls.h"
#include "format.h"

/* "PID TID ", "PID " */
static int scan_ids(const char **at, uint64_t *process, uint64_t *thread)
{
    if (!scan_decimal(at, process) || !scan_blank(at))
        return 0;
    const char *before = *at;

    *thread = *process;
    if (scan_decimal(at, thread) && !scan_blank(at))
        *at = before;
    return 1;
}

static int take_line(struct import *im, const char *line, void *state)
{
    uint64_t process, thread;
    int is_ours;

    (void)state;
    if (!*line)
        return 0;
    if (!scan_ids(&line, &process, &thread))
        return import_bad(im, "PID TID FUNCTION(ARGUMENTS)=RESULT");
    int err = import_process(im, process, &is_ours);

    return err || !is_ours ? err : calls_take(im, thread, line);
}

static int logalloc_read(struct import *im)
{
    return import_lines(im, take_line, NULL);
}

static int is_logalloc_line(const char *line)
{
    uint64_t process, thread;

    return scan_ids(&line, &process, &thread) && calls_is_one(line);
}

static int logalloc_sniff(const char *head, size_t n)
{
    return format_has_line(head, n, is_logalloc_line);
}

const struct trace_format logalloc_format = {
    .name = "logalloc",
    .summary = "Mozilla's logalloc, plain or munged",
    .suffix = "",
    .sniff = logalloc_sniff,
    .read = logalloc_read,
};
