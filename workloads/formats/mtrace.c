/* mtrace.c - the log of the C library's mtrace(3).
 *
 *   @ PROGRAM:[CALLER] + ADDRESS SIZE        malloc, calloc, memalign
 *   @ PROGRAM:[CALLER] - ADDRESS             free
 *   @ PROGRAM:[CALLER] < OLD                 realloc, in two lines:
 *   @ PROGRAM:[CALLER] > ADDRESS SIZE
 *   @ PROGRAM:[CALLER] ! OLD SIZE            a realloc that failed
 *
 * Kept: sizes.  Lost: threads, alignment, zeroing (the log does not say), and
 * the callers.
 *
 * Source: GNU C library, malloc/mtrace-impl.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "format.h"

struct state {
    uint64_t old; /* of a realloc whose first line was read; or 0 */
};

/* Behind the caller, which may hold anything: the last " + " or the like. */
static const char *find_call(const char *line)
{
    if (line[0] != '@')
        return line;
    for (const char *p = line + strlen(line); p > line + 2; p--)
        if (p[-1] == ' ' && strchr("+-<>!", *p) && *p && p[1] == ' ')
            return p;
    return "";
}

static int take_call(struct import *im, struct state *s, char kind,
                     const uint64_t n[2])
{
    uint64_t old = s->old;

    s->old = 0;
    switch (kind) {
    case '+':
        return import_malloc(im, 0, n[0], n[1]);
    case '-':
        return import_dealloc(im, 0, n[0]);
    case '<':
        s->old = n[0];
        return 0;
    case '>':
        return import_realloc(im, 0, old, n[0], n[1]);
    default:
        return import_realloc(im, 0, n[0], 0, n[1]);
    }
}

/* "+ ADDRESS SIZE", "- ADDRESS" */
static int scan_call(const char **at, char *kind, uint64_t n[2])
{
    *kind = **at;
    if (!*kind || !strchr("+-<>!", *kind))
        return 0;
    ++*at;
    if (!scan_blank(at) || !scan_hex(at, &n[0]))
        return 0;
    if (*kind == '-' || *kind == '<')
        return 1;
    return scan_blank(at) && scan_hex(at, &n[1]);
}

static int take_line(struct import *im, const char *line, void *state)
{
    struct state *s = state;
    uint64_t n[2];
    char kind;

    if (!*line || *line == '=') /* "= Start", "= End" */
        return 0;
    line = find_call(line);
    int is_call = scan_call(&line, &kind, n);

    scan_blank(&line);
    if (!is_call || *line)
        return import_bad(im, "@ CALLER, then + ADDRESS SIZE, - ADDRESS, < OLD "
                              "or > ADDRESS SIZE");
    if ((kind == '>' || kind == '!') != (s->old != 0)) {
        int err =
            import_bad(im, "< OLD and > ADDRESS SIZE one after the other");

        if (err)
            return err;
    }
    return take_call(im, s, kind, n);
}

static int mtrace_read(struct import *im)
{
    struct state s = {0};

    return import_lines(im, take_line, &s);
}

static int is_mtrace_line(const char *line)
{
    if (!strncmp(line, "= Start\n", 8) || !strncmp(line, "= Start\r", 8))
        return 1;
    return line[0] == '@' && line[1] == ' ';
}

static int mtrace_sniff(const char *head, size_t n)
{
    return format_has_line(head, n, is_mtrace_line);
}

const struct trace_format mtrace_format = {
    .name = "mtrace",
    .summary = "the C library's mtrace(3)",
    .suffix = "",
    .sniff = mtrace_sniff,
    .read = mtrace_read,
};
