/* trace_convert.c - `heapyard trace convert`: from and to the formats of other
 * programs.
 *
 * One pass: calls are read, turned into operations and written to the archive
 * as they come.  What was wrong with the input is known only at the end, so
 * the archive's provenance is written with room for it, and amended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h, basename of string.h */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_format.h"
#include "commands.h"
#include "environment.h"
#include "format.h"
#include "places.h"
#include "trace_verbs.h"

enum { LEVEL_MAX = 19, WHY_MAX = 1024, NAME_SHOWN = 200 };

struct convert_args {
    const char *in, *out;
    const struct trace_format *from, *to; /* NULL: find out */
    const char *licence, *comment;        /* NULL: none */
    uint64_t process;                     /* 0: the first in the input */
    int is_strict;
    int level;
};

static int say(int err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int say(int err, const char *format, ...)
{
    char why[WHY_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return trace_complain(why, err);
}

/* ---- import ---- */

/* A line of provenance from text that is anybody's. */
static size_t add_foreign(char *to, size_t size, const char *key,
                          const char *value)
{
    size_t n = (size_t)snprintf(to, size, "%s: %.*s\n", key, NAME_SHOWN, value);

    for (size_t i = strlen(key); i + 1 < n; i++)
        if (to[i] < ' ' || to[i] > '~')
            to[i] = '?';
    return n;
}

/* The provenance: what is known before, and notes. */
static int provenance(const struct convert_args *a, const struct import *im,
                      const char *notes, char text[ARCHIVE_PROVENANCE_MAX])
{
    const char *packing = input_packing(im->reader.input);
    size_t size = ARCHIVE_PROVENANCE_MAX / 2;
    char date[32];
    size_t n =
        add_foreign(text, size, "source",
                    strcmp(a->in, "-") ? basename(a->in) : "standard input");

    environment_date(date, sizeof date);
    n += (size_t)snprintf(text + n, size - n, "packed: %s\n",
                          packing[0] ? packing : "no");
    n += (size_t)snprintf(text + n, size - n,
                          "converted: %s\nconverter: heapyard %s\n", date,
                          places_version());
    if (a->licence)
        n += (size_t)snprintf(text + n, size - n, "licence: %s\n", a->licence);
    if (n < size && a->comment)
        n += (size_t)snprintf(text + n, size - n, "comment: %s\n", a->comment);
    if (n >= size)
        return EINVAL;
    strcpy(text + n, notes);
    return 0;
}

static void print_faults(const struct import *im)
{
    for (enum import_fault i = 0; i < IMPORT_FAULTS; i++) {
        const struct import_count *c = &im->faults[i];

        if (c->count)
            fprintf(stderr,
                    "  %-13" PRIu64 " %s\n"
                    "                (first at %s %" PRIu64 ": %s)\n",
                    c->count, import_fault_text(i), im->unit, c->first_place,
                    c->first);
    }
}

static void print_imported(const struct convert_args *a,
                           const struct import *im)
{
    fprintf(stderr, "heapyard trace: %s: %s%s%s\n", a->in, a->from->name,
            im->header[0] ? ", " : "", im->header);
    fprintf(stderr, "  operations    %" PRIu64 " by %zu threads\n",
            im->operations,
            im->threads.count < OP_MAX_THREADS ? im->threads.count
                                               : (size_t)OP_MAX_THREADS);
    print_faults(im);
}

/* sink_why: what the archive says, if it refused. */
static int import_failed(const struct convert_args *a, const struct import *im,
                         const char *sink_why, int err)
{
    if (err == EINTR)
        return say(err, "stopped, %s was not written", a->out);
    if (err == EBADMSG)
        return say(err, "%s%s", im->why,
                   im->feed.err == EBADMSG ? sink_why : "");
    if (im->feed.err)
        return say(err, "%s: %s", a->out, strerror(err));
    return say(err, "%s: %s", a->in,
               input_why(im->reader.input)[0] ? input_why(im->reader.input)
                                              : strerror(err));
}

/* Now it is known what was wrong with the input. */
static int amend(const struct convert_args *a, const struct import *im,
                 struct archive_writer *w, char text[ARCHIVE_PROVENANCE_MAX])
{
    char notes[IMPORT_NOTES_SIZE];

    import_notes(im, a->from->name, notes);
    int err = provenance(a, im, notes, text);

    if (!err)
        err = archive_amend(w, text);
    return err ? say(err, "%s: %s", a->out, strerror(err)) : EXIT_GOOD;
}

static int import_to(const struct convert_args *a, struct import *im)
{
    char text[ARCHIVE_PROVENANCE_MAX], room[IMPORT_NOTES_SIZE];
    struct trace_output out;

    memset(room, '\n', sizeof room);
    room[sizeof room / 2] = '\0';
    if (provenance(a, im, room, text) || provenance_fault(text, strlen(text)))
        return say(EBADMSG, "licence or comment is too long, has control bytes "
                            "or is no UTF-8");
    int code = trace_output_open(&out, a->out, text, a->level);

    if (code)
        return code;
    im->feed.sink = &out.sink;
    int err = a->from->read(im);

    if (!err)
        err = import_finish(im);
    code = err ? import_failed(a, im, trace_output_why(&out), err)
               : amend(a, im, out.writer, text);
    code = trace_output_close(&out, code);
    if (!code)
        print_imported(a, im);
    return code;
}

/* "android, heaptrack, …" */
static void list_names(char *to, size_t size)
{
    size_t n = 0;

    for (const struct trace_format *const *f = trace_formats; *f; f++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", n ? ", " : "",
                              (*f)->name);
}

static int sniff(struct convert_args *a, struct import *im, int *is_archive)
{
    const char *head;
    char names[WHY_MAX / 2];
    size_t n;
    int err = reader_head(&im->reader, &head, &n);

    *is_archive = 0;
    if (err)
        return import_failed(a, im, "", err);
    *is_archive = n >= MAGIC_SIZE && !memcmp(head, ARCHIVE_MAGIC, MAGIC_SIZE);
    if (*is_archive || a->from)
        return EXIT_GOOD;
    im->reader.buffer[n] = '\0'; /* has room for it */
    a->from = format_sniff(head, n);
    if (a->from)
        return EXIT_GOOD;
    list_names(names, sizeof names);
    if (n == 0)
        return say(EBADMSG, "%s: is empty", a->in);
    return say(EBADMSG,
               "%s: of no format that is known (want --from and one of %s)",
               a->in, names);
}

/* ---- export ---- */

static void print_loss(uint64_t n, const char *text)
{
    if (n)
        fprintf(stderr, "  %-13" PRIu64 " %s\n", n, text);
}

static void print_exported(const struct convert_args *a,
                           const struct export_losses *l)
{
    fprintf(stderr, "heapyard trace: %s: %s\n", a->out, a->to->name);
    print_loss(l->threads > 1 ? l->threads : 0,
               "threads, now one: the order is kept");
    print_loss(l->edges, "starts and joins of threads left out");
    print_loss(l->zeroed, "zeroed allocations, now plain");
    print_loss(l->aligned, "alignments left out");
    print_loss(l->empty, "blocks of 0 bytes, now of 1");
    print_loss(l->touches, "writes to blocks left out");
    print_loss(l->marks, "marks left out");
    print_loss(l->times, "times left out");
}

static int write_out(const struct convert_args *a,
                     const struct archive *archive, FILE *out)
{
    struct export_losses losses = {0};
    int err = a->to->write(archive, out, &losses);

    if (err)
        return say(err, "%s",
                   archive_why(archive)[0] ? archive_why(archive)
                                           : strerror(err));
    if (fflush(out) || ferror(out))
        return say(errno, "%s: %s", a->out, strerror(errno));
    print_exported(a, &losses);
    return EXIT_GOOD;
}

/* A file is there only when it is whole. */
static int write_file(const struct convert_args *a,
                      const struct archive *archive)
{
    char temporary[4096];

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.%ld.tmp", a->out,
                         (long)getpid()) >= sizeof temporary)
        return say(ENAMETOOLONG, "%s: %s", a->out, strerror(ENAMETOOLONG));
    FILE *out = fopen(temporary, "wx");

    if (!out)
        return say(errno, "%s: %s", temporary, strerror(errno));
    int code = write_out(a, archive, out);
    int is_bad = fclose(out) != 0;

    if (!code && (is_bad || rename(temporary, a->out)))
        code = say(errno, "%s: %s", a->out, strerror(errno));
    if (code)
        unlink(temporary);
    return code;
}

static int export_from(struct convert_args *a)
{
    struct archive *archive;

    if (!a->to)
        a->to = format_of_suffix(a->out);
    if (!a->to || !a->to->write)
        return say(EBADMSG,
                   "%s: no format to write (want OUT.rep, OUT.txt, or "
                   "--to rep, rep-3e, rep-2004, rep-xv6 or android)",
                   a->out);
    int code = trace_open(a->in, &archive);

    if (code)
        return code;
    code = strcmp(a->out, "-") ? write_file(a, archive)
                               : write_out(a, archive, stdout);
    archive_close(archive);
    return code;
}

/* ---- the verb ---- */

static int convert(struct convert_args *a)
{
    char why[WHY_MAX];
    struct input *input;
    struct import im;
    int is_archive, err = input_open(a->in, &input, why, sizeof why);

    if (err)
        return trace_complain(why, err);
    err = import_init(&im, input, a->in, NULL);
    if (err) {
        input_close(input);
        return say(err, "%s", strerror(err));
    }
    im.is_strict = a->is_strict;
    im.process = a->process;
    int code = sniff(a, &im, &is_archive);

    if (!code && is_archive)
        code = export_from(a);
    else if (!code && (a->to || format_of_suffix(a->out)))
        code =
            say(EBADMSG, "%s: is no archive (convert it to .hyt first)", a->in);
    else if (!code && !strcmp(a->out, "-"))
        code = say(EBADMSG, "-: an archive needs a file (want OUT.hyt)");
    else if (!code)
        code = import_to(a, &im);
    import_free(&im);
    input_close(input);
    return code;
}

static const struct trace_format *named(struct argp_state *state,
                                        const char *option, const char *name)
{
    const struct trace_format *format = format_find(name);
    char names[WHY_MAX / 2];

    list_names(names, sizeof names);
    if (!format)
        argp_error(state, "--%s = %s (want one of %s)", option, name, names);
    return format;
}

enum {
    KEY_FROM = 256,
    KEY_TO,
    KEY_STRICT,
    KEY_PROCESS,
    KEY_LICENCE,
    KEY_COMMENT
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct convert_args *a = state->input;

    switch (key) {
    case KEY_FROM:
        a->from = named(state, "from", arg);
        return 0;
    case KEY_TO:
        a->to = named(state, "to", arg);
        return 0;
    case KEY_STRICT:
        a->is_strict = 1;
        return 0;
    case KEY_PROCESS:
        a->process = trace_number(state, "process", arg, 1, INT32_MAX);
        return 0;
    case KEY_LICENCE:
        a->licence = arg;
        return 0;
    case KEY_COMMENT:
        a->comment = arg;
        return 0;
    case 'l':
        a->level = (int)trace_number(state, "level", arg, 1, LEVEL_MAX);
        return 0;
    default:
        return trace_parse_in_out(key, arg, state, &a->in, &a->out);
    }
}

static const struct argp_option options[] = {
    {"from", KEY_FROM, "FORMAT", 0, "What IN is, instead of looking at it", 0},
    {"to", KEY_TO, "FORMAT", 0, "What OUT becomes, instead of by its name", 0},
    {"strict", KEY_STRICT, NULL, 0, "Stop at the first thing that is wrong", 0},
    {"process", KEY_PROCESS, "PID", 0,
     "Take this process's calls (preset: the first)", 0},
    {"level", 'l', "N", 0, "zstd level 1..19 of an archive (preset: 9)", 0},
    {"licence", KEY_LICENCE, "TEXT", 0, "Goes into the archive", 0},
    {"comment", KEY_COMMENT, "TEXT", 0, "Goes into the archive", 0},
    {0}};

static const struct argp argp = {
    options,
    parse,
    "IN OUT",
    "Make a trace of what other programs recorded, or write one for them.\v"
    "If IN is no archive it becomes one, OUT (.hyt). IN may be packed by gzip "
    "or zstd, may be a zip of one file, and - is standard input. If IN is an "
    "archive it is written to OUT (- is standard output): .rep for the malloc "
    "lab, .txt for Android.\n\n"
    "FORMAT is one of these; workloads/traces/README.md says what of each is "
    "kept and what is lost:\n\n"
    "  android      text of Android's memory_replay (also --to)\n"
    "  heaptrack    raw data of heaptrack --raw\n"
    "  lttng        babeltrace2's text of the LTTng-UST libc wrapper\n"
    "  logalloc     Mozilla's logalloc, plain or munged\n"
    "  valgrind     standard error of valgrind --trace-malloc=yes\n"
    "  mtrace       the C library's mtrace(3)\n"
    "  rep          malloc lab, any dialect (--to: that of 2016)\n"
    "  rep-3e, rep-2004, rep-xv6\n"
    "               one dialect (also --to)\n"
    "  glibc-wl     glibc's malloc workload\n"
    "  glibc-raw    glibc's malloc trace\n"
    "  webkit-ops   WebKit's MallocBench .ops\n\n"
    "Calls that do not fit (a free of an address that was never given out, a "
    "second free, a line cut short …) are left out or mended, counted, and "
    "listed at the end; `heapyard trace info OUT` lists them too.\n\n"
    "Examples:\n"
    "  heapyard trace convert app.txt.gz app.hyt\n"
    "  heapyard trace convert --strict short1.rep short1.hyt\n"
    "  heapyard trace convert app.hyt app.rep",
    NULL,
    NULL,
    NULL};

int trace_convert(int argc, char **argv)
{
    struct convert_args a = {.level = TRACE_LEVEL_PRESET};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return convert(&a);
}
