/* rep.c - the traces of the CS:APP malloc lab.
 *
 *   a ID SIZE    r ID SIZE    f ID
 *
 * after a header of four numbers, one a line (two in the xv6 port):
 *
 *   3e       suggested heap size   ids   operations   weight
 *   2004     weight 0..3           ids   operations   ignore ranges 0 or 1
 *   2016     weight 0..3           ids   operations   most bytes allocated
 *   xv6      ids                   operations
 *
 * Read as the lab's driver does: it stops at the header's number of
 * operations, keeps the size before when one is missing, frees nothing for
 * "f -1", allocates for an "r" of an id that holds nothing, and forgets the
 * block of an id that is allocated again.  Lost in reading: nothing but the
 * header, which goes into the provenance.  Lost in writing: threads, zeroing,
 * alignment, touches, marks, times.
 *
 * Source: R. E. Bryant & D. R. O'Hallaron, Computer Systems: A Programmer's
 * Perspective, the malloc lab's handouts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <inttypes.h>

#include "format.h"

enum { HEADER_MAX = 4, WEIGHT_MAX = 3, XV6_HEADER = 2 };

/* Where in the header of a dialect stands what. */
static const struct dialect {
    const char *name;
    int numbers, ids, ops; /* how many there are; which are these */
} dialects[] = {
    {"2016", 4, 1, 2},
    {"3e", 4, 1, 2},
    {"2004", 4, 1, 2},
    {"xv6", 2, 0, 1},
};

enum { REP_2016, REP_3E, REP_2004, REP_XV6, DIALECTS };

/* ---- reading ---- */

struct state {
    int forced; /* dialect, or DIALECTS: whatever it looks like */
    const struct dialect *dialect;
    uint64_t header[HEADER_MAX];
    int numbers; /* of the header, read */
    uint64_t ids, ops, done;
    uint64_t size; /* of the last line that had one */
};

static int is_number(const char *line)
{
    uint64_t v;

    scan_blank(&line);
    int is = scan_decimal(&line, &v);
    scan_blank(&line);
    return is && (!*line || *line == '\n' || *line == '\r');
}

/* The dialect of four numbers: a first one beyond the weights is a heap size,
 * a last one of 0 or 1 says to ignore ranges or not. */
static int guess(const uint64_t header[HEADER_MAX], int numbers)
{
    return numbers == XV6_HEADER        ? REP_XV6
           : header[0] > WEIGHT_MAX     ? REP_3E
           : header[HEADER_MAX - 1] < 2 ? REP_2004
                                        : REP_2016;
}

static int header_end(struct import *im, struct state *s)
{
    int which = s->forced < DIALECTS ? s->forced : guess(s->header, s->numbers);
    const struct dialect *d = &dialects[which];
    const uint64_t *h = s->header;

    if (s->numbers != d->numbers)
        return import_refuse(im,
                             "a header of %d numbers (want %d, one a line, "
                             "for the %s dialect)",
                             s->numbers, d->numbers, d->name);
    s->dialect = d;
    s->ids = h[d->ids];
    s->ops = h[d->ops];
    if (d->numbers == XV6_HEADER)
        snprintf(im->header, sizeof im->header,
                 "dialect xv6, header %" PRIu64 " %" PRIu64, h[0], h[1]);
    else
        snprintf(im->header, sizeof im->header,
                 "dialect %s, header %" PRIu64 " %" PRIu64 " %" PRIu64
                 " %" PRIu64,
                 d->name, h[0], h[1], h[2], h[3]);
    return 0;
}

static int take_header(struct import *im, struct state *s, const char *line)
{
    if (s->numbers == HEADER_MAX)
        return import_refuse(im, "a fifth number in the header (want at most "
                                 "4, then lines a, r, f)");
    scan_blank(&line);
    scan_decimal(&line, &s->header[s->numbers++]);
    return 0;
}

/* " SIZE", or the size of the line before. */
static int take_size(struct import *im, struct state *s, const char **at)
{
    const char *p = *at;

    scan_blank(&p);
    if (!*p)
        return import_fault(im, IMPORT_SIZE_MISSING,
                            "no size (want a ID SIZE or r ID SIZE)");
    if (!scan_decimal(&p, &s->size))
        return EINVAL;
    *at = p;
    return 0;
}

static int take_op(struct import *im, struct state *s, char kind, uint64_t id)
{
    uint64_t address = id + 1;
    int err = 0;

    switch (kind) {
    case 'f':
        return import_dealloc(im, 0, address);
    case 'a':
        if (import_is_live(im, address))
            err = import_abandon(im, address);
        return err ? err : import_malloc(im, 0, address, s->size);
    default:
        if (!import_is_live(im, address)) /* realloc(NULL, size) */
            return import_malloc(im, 0, address, s->size);
        return import_realloc(im, 0, address, s->size ? address : 0, s->size);
    }
}

/* "a ID SIZE", "r ID SIZE", "f ID" or "f -1" */
static int take_call(struct import *im, struct state *s, const char *line)
{
    static const char want[] = "a ID SIZE, r ID SIZE or f ID";
    char kind = *line++;
    uint64_t id;
    int err = 0;

    if ((kind != 'a' && kind != 'r' && kind != 'f') || !scan_blank(&line))
        return import_bad(im, want);
    s->done++;
    if (kind == 'f' && scan_word(&line, "-1"))
        return 0;
    if (!scan_decimal(&line, &id) || id >= INT64_MAX)
        return import_bad(im, want);
    if (kind != 'f')
        err = take_size(im, s, &line);
    scan_blank(&line);
    if (err == EINVAL || (!err && *line))
        return import_bad(im, want);
    if (!err && id >= s->ids)
        err = import_fault(im, IMPORT_BEYOND_HEADER,
                           "id %" PRIu64 " (the header says %" PRIu64 " ids)",
                           id, s->ids);
    return err ? err : take_op(im, s, kind, id);
}

static int take_line(struct import *im, const char *line, void *state)
{
    struct state *s = state;
    int err = 0;

    scan_blank(&line);
    if (!*line)
        return 0;
    if (!s->dialect && is_number(line))
        return take_header(im, s, line);
    if (!s->dialect)
        err = header_end(im, s);
    if (!err && s->done == s->ops) {
        err = import_fault(im, IMPORT_BEYOND_HEADER,
                           "more operations than the header's %" PRIu64
                           " (where the driver stops)",
                           s->ops);
        return err ? err : ECANCELED;
    }
    return err ? err : take_call(im, s, line);
}

static int read_dialect(struct import *im, int forced)
{
    struct state s = {.forced = forced};

    im->is_numbered = 1;
    int err = import_lines(im, take_line, &s);

    if (!err && s.dialect && s.done < s.ops)
        err = import_fault(im, IMPORT_CUT_TAIL,
                           "ends after %" PRIu64 " operations (the header "
                           "says %" PRIu64 ")",
                           s.done, s.ops);
    return err;
}

static int read_any(struct import *im)
{
    return read_dialect(im, DIALECTS);
}

static int read_2004(struct import *im)
{
    return read_dialect(im, REP_2004);
}

static int read_3e(struct import *im)
{
    return read_dialect(im, REP_3E);
}

static int read_xv6(struct import *im)
{
    return read_dialect(im, REP_XV6);
}

static int is_call(const char *line)
{
    return (*line == 'a' || *line == 'r' || *line == 'f') &&
           (line[1] == ' ' || line[1] == '\t');
}

/* Two to four numbers, one a line, then a call. */
static int rep_sniff(const char *head, size_t n)
{
    const char *end = head + n;
    int numbers = 0;

    while (head < end && numbers <= HEADER_MAX) {
        if (is_number(head))
            numbers++;
        else if (*head != '\n' && *head != '\r')
            return numbers >= XV6_HEADER && is_call(head);
        while (head < end && *head++ != '\n')
            ;
    }
    return 0;
}

/* ---- writing ---- */

struct writer {
    struct op_sink sink; /* first: put casts back */
    FILE *out;
    struct export_losses *losses;
};

static void write_birth(struct writer *w, const struct op *op)
{
    w->losses->zeroed += op->kind == OP_ZALLOC;
    w->losses->aligned += op->align_log2 != 0;
    w->losses->empty += op->size == 0;
    fprintf(w->out, "a %" PRIu64 " %" PRIu64 "\n", op->object,
            op->size ? op->size : 1);
}

static int writer_put(struct op_sink *sink, const struct op *op)
{
    struct writer *w = (struct writer *)sink;

    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        write_birth(w, op);
        break;
    case OP_RESIZE:
        fprintf(w->out, "r %" PRIu64 " %" PRIu64 "\n", op->object, op->size);
        break;
    case OP_FREE:
        fprintf(w->out, "f %" PRIu64 "\n", op->object);
        break;
    case OP_TOUCH:
        w->losses->touches++;
        break;
    case OP_MARK:
        w->losses->marks++;
        break;
    case OP_TIME:
        w->losses->times++;
        break;
    default:
        w->losses->edges++;
    }
    return 0;
}

/* Counts the operations that are written. */
struct census {
    struct op_sink sink; /* first: put casts back */
    uint64_t ops;
};

static int census_put(struct op_sink *sink, const struct op *op)
{
    struct census *c = (struct census *)sink;

    c->ops += op->kind == OP_ALLOC || op->kind == OP_ZALLOC ||
              op->kind == OP_RESIZE || op->kind == OP_FREE;
    return 0;
}

static void write_header(FILE *out, int dialect,
                         const struct archive_totals *totals, uint64_t ops)
{
    enum { WEIGHT_BOTH = 1 };

    if (dialect == REP_3E)
        fprintf(out, "%" PRIu64 "\n", totals->peak_bytes);
    else if (dialect != REP_XV6)
        fprintf(out, "%d\n", WEIGHT_BOTH);
    fprintf(out, "%" PRIu64 "\n%" PRIu64 "\n", totals->births, ops);
    if (dialect == REP_3E)
        fprintf(out, "%d\n", WEIGHT_BOTH);
    else if (dialect == REP_2004)
        fprintf(out, "0\n");
    else if (dialect == REP_2016)
        fprintf(out, "%" PRIu64 "\n", totals->peak_bytes);
}

static int write_dialect(const struct archive *archive, FILE *out,
                         struct export_losses *losses, int dialect)
{
    const struct trace_source *source = archive_source(archive);
    struct writer w = {.sink.put = writer_put, .out = out, .losses = losses};
    struct census census = {.sink.put = census_put};
    int err = source->play(source, &census.sink);

    if (err)
        return err;
    losses->threads = archive_totals(archive)->threads;
    write_header(out, dialect, archive_totals(archive), census.ops);
    return source->play(source, &w.sink);
}

static int write_2016(const struct archive *archive, FILE *out,
                      struct export_losses *losses)
{
    return write_dialect(archive, out, losses, REP_2016);
}

static int write_3e(const struct archive *archive, FILE *out,
                    struct export_losses *losses)
{
    return write_dialect(archive, out, losses, REP_3E);
}

static int write_2004(const struct archive *archive, FILE *out,
                      struct export_losses *losses)
{
    return write_dialect(archive, out, losses, REP_2004);
}

static int write_xv6(const struct archive *archive, FILE *out,
                     struct export_losses *losses)
{
    return write_dialect(archive, out, losses, REP_XV6);
}

const struct trace_format rep_format = {
    .name = "rep",
    .summary = "malloc lab, any dialect; written as that of 2016 and later",
    .suffix = ".rep",
    .sniff = rep_sniff,
    .read = read_any,
    .write = write_2016,
};

const struct trace_format rep_3e_format = {
    .name = "rep-3e",
    .summary = "malloc lab of the book's third edition",
    .suffix = "",
    .read = read_3e,
    .write = write_3e,
};

const struct trace_format rep_2004_format = {
    .name = "rep-2004",
    .summary = "malloc lab of 2004",
    .suffix = "",
    .read = read_2004,
    .write = write_2004,
};

const struct trace_format rep_xv6_format = {
    .name = "rep-xv6",
    .summary = "malloc lab of the xv6 port",
    .suffix = "",
    .read = read_xv6,
    .write = write_xv6,
};
