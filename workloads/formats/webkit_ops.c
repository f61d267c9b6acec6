/* webkit_ops.c - the recordings of WebKit's MallocBench (.ops).
 *
 * Records of 24 bytes: operation (4: malloc 0, free 1, realloc 2, aligned 3),
 * thread (2), log2 of the alignment (2), slot (8), size (8).  Blocks are slots
 * of an array.  As its interpreter does: a free or realloc of an empty slot is
 * left out, a block whose slot is allocated again stays.  All is kept.
 *
 * Source: WebKit, PerformanceTests/MallocBench/MallocBench/Interpreter.cpp.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "archive_format.h"
#include "format.h"

enum { RECORD = 24, SNIFFED = 64, SLOT_MAX_LOG2 = 48 };

enum operation { MALLOC, FREE, REALLOC, ALIGNED, OPERATIONS };

struct record {
    uint32_t operation;
    uint16_t thread, align_log2;
    uint64_t slot, size;
};

static struct record unpack(const unsigned char *p)
{
    return (struct record){.operation = get_u32(p),
                           .thread = get_u16(p + 4),
                           .align_log2 = get_u16(p + 6),
                           .slot = get_u64(p + 8),
                           .size = get_u64(p + 16)};
}

static int take_birth(struct import *im, const struct record *r)
{
    uint64_t address = r->slot + 1;
    int err = import_is_live(im, address) ? import_abandon(im, address) : 0;

    if (err)
        return err;
    if (r->operation == MALLOC)
        return import_malloc(im, r->thread, address, r->size);
    if (r->align_log2 > OP_MAX_ALIGN_LOG2)
        return import_bad(im, "an alignment of at most 2^30");
    return import_memalign(im, r->thread, address, UINT64_C(1) << r->align_log2,
                           r->size);
}

static int take_record(struct import *im, const struct record *r)
{
    uint64_t address = r->slot + 1;

    if (r->operation >= OPERATIONS)
        return import_bad(im, "an operation of 0..3 at byte 0 of the record");
    if (r->slot >> SLOT_MAX_LOG2)
        return import_bad(im, "a slot below 2^48 at byte 8 of the record");
    if (r->operation == MALLOC || r->operation == ALIGNED)
        return take_birth(im, r);
    if (r->operation == FREE)
        return import_dealloc(im, r->thread, address);
    if (!import_is_live(im, address))
        return import_fault(im, IMPORT_RESIZE_UNKNOWN,
                            "realloc of the empty slot %" PRIu64 " (left out)",
                            r->slot);
    return import_realloc(im, r->thread, address, r->size ? address : 0,
                          r->size);
}

static int webkit_ops_read(struct import *im)
{
    const unsigned char *bytes;
    size_t got;
    int err;

    im->unit = "byte";
    im->is_numbered = 1;
    for (;; im->place += RECORD) {
        err = reader_bytes(&im->reader, RECORD, &bytes, &got);
        if (err)
            return import_read_failed(im, err);
        if (got < RECORD)
            break;
        struct record r = unpack(bytes);

        err = take_record(im, &r);
        if (err)
            return err;
    }
    return got ? import_fault(im, IMPORT_CUT_TAIL,
                              "%zu bytes of a record (want %d)", got, RECORD)
               : 0;
}

static int webkit_ops_sniff(const char *head, size_t n)
{
    size_t i = 0;

    for (; i < SNIFFED && (i + 1) * RECORD <= n; i++) {
        struct record r = unpack((const unsigned char *)head + i * RECORD);

        if (r.operation >= OPERATIONS || r.align_log2 > OP_MAX_ALIGN_LOG2 ||
            r.slot >> 32 || r.size >> 40)
            return 0;
    }
    return i > 0 && (n % RECORD == 0 || n == READER_SIZE);
}

const struct trace_format webkit_ops_format = {
    .name = "webkit-ops",
    .summary = "WebKit's MallocBench .ops",
    .suffix = "",
    .sniff = webkit_ops_sniff,
    .read = webkit_ops_read,
};
