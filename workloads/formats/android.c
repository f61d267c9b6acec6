/* android.c - the text traces of Android's memory_replay.
 *
 *   TID: malloc ADDRESS SIZE          TID: realloc NEW OLD SIZE
 *   TID: calloc ADDRESS N SIZE        TID: memalign ADDRESS ALIGN SIZE
 *   TID: free ADDRESS                 TID: thread_done 0x0
 *
 * and behind each, in newer traces, the nanoseconds of its begin and end.
 * Lines stand in the order in which the calls began.  All is kept but the end
 * times.
 *
 * Source: Android Open Source Project, system/extras, memory_replay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "format.h"

struct call {
    uint64_t thread, address;
    uint64_t n[2]; /* the numbers behind the address */
};

/* One kind of line: what follows the address, and what it means. */
struct kind {
    const char *name;
    int numbers; /* behind the address */
    int (*take)(struct import *, const struct call *);
    const char *want; /* the line, for messages */
};

/* ---- reading ---- */

static int take_malloc(struct import *im, const struct call *c)
{
    return import_malloc(im, c->thread, c->address, c->n[0]);
}

static int take_calloc(struct import *im, const struct call *c)
{
    return import_calloc(im, c->thread, c->address, c->n[0], c->n[1]);
}

static int take_realloc(struct import *im, const struct call *c)
{
    return import_realloc(im, c->thread, c->n[0], c->address, c->n[1]);
}

static int take_memalign(struct import *im, const struct call *c)
{
    return import_memalign(im, c->thread, c->address, c->n[0], c->n[1]);
}

static int take_free(struct import *im, const struct call *c)
{
    return import_dealloc(im, c->thread, c->address);
}

static int take_nothing(struct import *im, const struct call *c)
{
    (void)im;
    (void)c;
    return 0;
}

static const struct kind kinds[] = {
    {"free ", 0, take_free, "TID: free ADDRESS"},
    {"malloc ", 1, take_malloc, "TID: malloc ADDRESS SIZE"},
    {"realloc ", 2, take_realloc, "TID: realloc NEW OLD SIZE"},
    {"calloc ", 2, take_calloc, "TID: calloc ADDRESS N SIZE"},
    {"memalign ", 2, take_memalign, "TID: memalign ADDRESS ALIGN SIZE"},
    {"thread_done ", 0, take_nothing, "TID: thread_done 0x0"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* "TID: KIND ", or NULL. */
static const struct kind *scan_kind(const char **at, uint64_t *thread)
{
    if (!scan_decimal(at, thread) || !scan_word(at, ": "))
        return NULL;
    for (int i = 0; i < KINDS; i++)
        if (scan_word(at, kinds[i].name))
            return &kinds[i];
    return NULL;
}

static int scan_call(const char **at, const struct kind *kind, struct call *c)
{
    if (!scan_hex(at, &c->address))
        return 0;
    for (int i = 0; i < kind->numbers; i++)
        if (!scan_blank(at) || !scan_number(at, &c->n[i]))
            return 0;
    return 1;
}

/* Nothing more, or " BEGIN END". */
static int scan_times(const char **at, uint64_t *begin, int *has_time)
{
    uint64_t end;

    *has_time = 0;
    scan_blank(at);
    if (!**at)
        return 1;
    *has_time =
        scan_decimal(at, begin) && scan_blank(at) && scan_decimal(at, &end);
    scan_blank(at);
    return *has_time && !**at;
}

static int take_line(struct import *im, const char *line, void *state)
{
    struct call call = {0};
    uint64_t begin;
    int has_time, err = 0;

    (void)state;
    const struct kind *kind = scan_kind(&line, &call.thread);
    if (!kind)
        return import_bad(im, "TID: malloc, calloc, realloc, memalign, free "
                              "or thread_done, and numbers");
    if (!scan_call(&line, kind, &call) || !scan_times(&line, &begin, &has_time))
        return import_bad(im, kind->want);
    if (has_time)
        err = import_time(im, begin);
    return err ? err : kind->take(im, &call);
}

static int android_read(struct import *im)
{
    return import_lines(im, take_line, NULL);
}

static int is_android_line(const char *line)
{
    struct call call;
    const struct kind *kind = scan_kind(&line, &call.thread);

    return kind && scan_call(&line, kind, &call);
}

static int android_sniff(const char *head, size_t n)
{
    return format_has_line(head, n, is_android_line);
}

/* ---- writing ---- */

/* Objects get addresses of their own, 16 bytes apart. */
enum { ADDRESS_STEP = 16 };

struct writer {
    struct op_sink sink; /* first: put casts back */
    FILE *out;
    struct export_losses *losses;
    uint64_t time_ns;
    int has_times;
};

static uint64_t address_of(const struct op *op)
{
    return (op->object + 1) * ADDRESS_STEP;
}

static void write_birth(FILE *out, const struct op *op)
{
    if (op->kind == OP_ZALLOC)
        fprintf(out, "%u: calloc 0x%" PRIx64 " 1 %" PRIu64, op->thread + 1u,
                address_of(op), op->size);
    else if (op->align_log2)
        fprintf(out, "%u: memalign 0x%" PRIx64 " %" PRIu64 " %" PRIu64,
                op->thread + 1u, address_of(op), UINT64_C(1) << op->align_log2,
                op->size);
    else
        fprintf(out, "%u: malloc 0x%" PRIx64 " %" PRIu64, op->thread + 1u,
                address_of(op), op->size);
}

static void write_op(struct writer *w, const struct op *op)
{
    if (op->kind == OP_ALLOC || op->kind == OP_ZALLOC)
        write_birth(w->out, op);
    else if (op->kind == OP_FREE)
        fprintf(w->out, "%u: free 0x%" PRIx64, op->thread + 1u, address_of(op));
    else
        fprintf(w->out, "%u: realloc 0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64,
                op->thread + 1u, address_of(op), address_of(op), op->size);
    if (w->has_times)
        fprintf(w->out, " %" PRIu64 " %" PRIu64, w->time_ns, w->time_ns);
    fputc('\n', w->out);
}

static int writer_put(struct op_sink *sink, const struct op *op)
{
    struct writer *w = (struct writer *)sink;

    switch (op->kind) {
    case OP_TIME:
        w->time_ns = op->size;
        break;
    case OP_TOUCH:
        w->losses->touches++;
        break;
    case OP_MARK:
        w->losses->marks++;
        break;
    case OP_SPAWN:
    case OP_JOIN:
        w->losses->edges++;
        break;
    default:
        write_op(w, op);
    }
    return 0;
}

static int android_write(const struct archive *archive, FILE *out,
                         struct export_losses *losses)
{
    struct writer w = {.sink.put = writer_put,
                       .out = out,
                       .losses = losses,
                       .has_times = archive_totals(archive)->times > 0};

    return archive_source(archive)->play(archive_source(archive), &w.sink);
}

const struct trace_format android_format = {
    .name = "android",
    .summary = "text of Android's memory_replay",
    .suffix = ".txt",
    .sniff = android_sniff,
    .read = android_read,
    .write = android_write,
};
