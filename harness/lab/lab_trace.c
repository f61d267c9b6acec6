/* lab_trace.c - a .rep file, with the line that each operation stands in.
 *
 * The importer of the format does the reading; while it hands over an
 * operation, its place is the line in hand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* basename of string.h */
#include "lab_trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

enum { FIRST_ROOM = 1024 };

static int play(const struct trace_source *source, struct op_sink *sink)
{
    const struct lab_trace *const t = (const struct lab_trace *)source;
    int err = 0;

    for (size_t i = 0; i < t->n && !err; i++)
        err = sink->put(sink, &t->op[i]);
    return err;
}

/* ---- reading ---- */

struct taker {
    struct op_sink sink; /* first: put casts back */
    struct lab_trace *to;
    const struct import *im;
};

static int grow(struct lab_trace *t)
{
    const size_t room = t->room ? 2 * t->room : FIRST_ROOM;
    struct op *const op = realloc(t->op, room * sizeof *op);

    if (op)
        t->op = op;
    uint64_t *const line = op ? realloc(t->line, room * sizeof *line) : NULL;
    if (!line)
        return ENOMEM;
    t->line = line;
    t->room = room;
    return 0;
}

static int taker_put(struct op_sink *sink, const struct op *op)
{
    struct taker *const k = (struct taker *)sink;
    struct lab_trace *const t = k->to;

    if (op->kind == OP_TIME)
        return 0;
    const int err = t->n == t->room ? grow(t) : 0;

    if (err)
        return err;
    t->line[t->n] = k->im->place;
    t->op[t->n++] = *op;
    return 0;
}

/* "dialect 2016, header 1 100 200 4096": the first number is the weight, but
 * for dialects where it is none. */
static enum lab_weight weight_of(const char *header)
{
    unsigned long long first;

    if ((sscanf(header, "dialect 2016, header %llu", &first) == 1 ||
         sscanf(header, "dialect 2004, header %llu", &first) == 1) &&
        first <= LAB_SPEED)
        return (enum lab_weight)first;
    return LAB_BOTH;
}

static void note_faults(const struct import *im, struct lab_trace *t)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < IMPORT_FAULTS; i++) {
        const struct import_count *const c = &im->faults[i];

        t->faults += c->count;
        if (!c->count || c->first_place >= least)
            continue;
        least = c->first_place;
        snprintf(t->first, sizeof t->first, "%llu: %s",
                 (unsigned long long)least, c->first);
    }
}

static int sniff(struct import *im, const struct trace_format **format)
{
    const char *head;
    size_t n;
    const int err = reader_head(&im->reader, &head, &n);

    if (err)
        return err;
    im->reader.buffer[n] = 0; /* has room for it */
    *format = format_sniff(head, n);
    if (*format == &rep_format)
        return 0;
    return import_refuse(im, "is no .rep file (want a header of 4 numbers, one "
                             "a line, then a ID SIZE, r ID SIZE, f ID)");
}

static int take_all(struct import *im, struct lab_trace *out)
{
    const struct trace_format *format;
    struct taker taker = {{taker_put}, out, im};
    int err = sniff(im, &format);

    im->feed.sink = &taker.sink;
    if (!err)
        err = format->read(im);
    if (!err)
        err = import_finish(im);
    out->weight = weight_of(im->header);
    note_faults(im, out);
    return err;
}

int lab_trace_read(const char *path, struct lab_trace *out, char *why,
                   size_t why_size)
{
    struct input *input;
    struct import im;

    *out = (struct lab_trace){.source.play = play, .path = path};
    snprintf(out->name, sizeof out->name, "%s", basename(path));
    int err = input_open(path, &input, why, why_size);
    if (err)
        return err;
    err = import_init(&im, input, path, NULL);
    if (!err) {
        err = take_all(&im, out);
        if (err)
            snprintf(why, why_size, "%s",
                     err == EBADMSG ? im.why : strerror(err));
        import_free(&im);
    }
    input_close(input);
    return err;
}

void lab_trace_free(struct lab_trace *t)
{
    free(t->op);
    free(t->line);
    t->op = NULL;
    t->line = NULL;
}

void lab_trace_text(const struct lab_trace *t, uint64_t line,
                    char text[LAB_LINE_SIZE])
{
    FILE *const f = fopen(t->path, "r");
    uint64_t i = 0;

    text[0] = 0;
    while (f && i < line && fgets(text, LAB_LINE_SIZE, f))
        i += strchr(text, '\n') != NULL;
    if (f)
        fclose(f);
    if (i != line)
        text[0] = 0;
    text[strcspn(text, "\r\n")] = 0;
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
}
