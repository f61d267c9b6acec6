/* import_text.c - imports bytes, for tests of the formats.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "import_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int run(struct import *im, struct imported *r)
{
    const char *head;
    size_t n;
    int err = reader_head(&im->reader, &head, &n);

    if (err)
        return import_read_failed(im, err);
    im->reader.buffer[n] = '\0';
    if (!r->format)
        r->format = format_sniff(head, n);
    if (!r->format)
        return ENOTSUP;
    err = r->format->read(im);
    return err ? err : import_finish(im);
}

struct imported import_bytes(const struct trace_format *format,
                             const void *bytes, size_t n, int is_strict,
                             struct op_sink *sink)
{
    struct imported r = {.format = format};
    struct input *input;
    struct import im;

    r.err = input_open_memory(bytes, n, &input, r.why, sizeof r.why);
    if (r.err)
        return r;
    if (import_init(&im, input, "in", sink))
        abort();
    im.is_strict = is_strict;
    r.err = run(&im, &r);
    r.sink_err = im.feed.err;
    r.operations = im.operations;
    memcpy(r.why, im.why, sizeof r.why);
    memcpy(r.faults, im.faults, sizeof r.faults);
    memcpy(r.header, im.header, sizeof r.header);
    import_free(&im);
    input_close(input);
    return r;
}

static int note(struct op_sink *sink, const struct op *op)
{
    struct op_notes *n = (struct op_notes *)sink;
    char *at = n->text + n->used;
    size_t room = sizeof n->text - n->used;
    int used = 0;

    if (room < 100)
        return EFBIG;
    if (op->kind == OP_TIME)
        used = snprintf(at, room, "T%" PRIu64 " ", op->size);
    else if (op->kind == OP_FREE)
        used = snprintf(at, room, "%u-%" PRIu64 " ", op->thread, op->object);
    else if (op->kind == OP_RESIZE)
        used = snprintf(at, room, "%u~%" PRIu64 ":%" PRIu64 " ", op->thread,
                        op->object, op->size);
    else if (op->align_log2)
        used = snprintf(at, room, "%u+%" PRIu64 "@%u ", op->thread, op->size,
                        op->align_log2);
    else
        used = snprintf(at, room, "%u%s%" PRIu64 " ", op->thread,
                        op->kind == OP_ZALLOC ? "z" : "+", op->size);
    n->used += (size_t)used;
    return 0;
}

void op_notes_init(struct op_notes *n)
{
    *n = (struct op_notes){.sink.put = note};
}
