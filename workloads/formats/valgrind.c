/* valgrind.c - what valgrind --trace-malloc=yes writes to standard error.
 *
 *   --PID-- malloc(5) = 0x4A46040
 *
 * Other lines (valgrind's, the program's) are passed over.  Kept: sizes,
 * alignment, zeroing; lost: threads.  Of several processes (--trace-children)
 * one is taken.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "calls.h"
#include "format.h"

/* "--PID-- " */
static int scan_lead(const char **at, uint64_t *process)
{
    return scan_word(at, "--") && scan_decimal(at, process) &&
           scan_word(at, "-- ");
}

static int take_line(struct import *im, const char *line, void *state)
{
    uint64_t process;
    int is_ours;

    (void)state;
    if (!scan_lead(&line, &process))
        return 0;
    /* valgrind says other things so too, and ends a call of two parts */
    if (!calls_is_one(line) && !im->is_tail)
        return 0;
    int err = import_process(im, process, &is_ours);

    return err || !is_ours ? err : calls_take(im, 0, line);
}

static int valgrind_read(struct import *im)
{
    return import_lines(im, take_line, NULL);
}

static int is_valgrind_line(const char *line)
{
    uint64_t process;

    return scan_lead(&line, &process) && calls_is_one(line);
}

static int valgrind_sniff(const char *head, size_t n)
{
    return format_has_line(head, n, is_valgrind_line);
}

const struct trace_format valgrind_format = {
    .name = "valgrind",
    .summary = "standard error of valgrind --trace-malloc=yes",
    .suffix = "",
    .sniff = valgrind_sniff,
    .read = valgrind_read,
};
