/* glibc_raw.c - the binary traces of glibc's malloc trace (branch dj/malloc).
 *
 * Records of 32 bytes, or of 64 in later ones, which begin with a magic
 * record (type 255, first pointer 0x1234):
 *
 *   0   4  thread            8  8  first pointer (freed, or reallocated)
 *   4   1  type             16  8  second pointer (given out)
 *   5   3  path bits        24  8  size
 *                           32  8  second size: the alignment (64 bytes only)
 *
 * Kept: threads, sizes, zeroing, and alignment in the 64-byte form; in the
 * other, alignment is taken from the first pointer if that is a power of two.
 *
 * Source: D. Delorie, glibc branch dj/malloc, malloc/mtrace.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "archive_format.h"
#include "format.h"

enum {
    SHORT_RECORD = 32,
    LONG_RECORD = 64,
    MAGIC_POINTER = 0x1234,
    PAGE = 4096,
    SNIFFED = 32 /* records */
};

enum type {
    UNUSED,
    MALLOC,
    CALLOC,
    FREE,
    REALLOC,
    MEMALIGN,
    VALLOC,
    PVALLOC,
    POSIX_MEMALIGN,
    TYPES,
    MAGIC = 255
};

struct record {
    uint32_t thread;
    unsigned type;
    uint64_t first, second, size, align;
};

static void unpack(const unsigned char *p, size_t n, struct record *r)
{
    *r = (struct record){.thread = get_u32(p),
                         .type = p[4],
                         .first = get_u64(p + 8),
                         .second = get_u64(p + 16),
                         .size = get_u64(p + 24)};
    if (n == LONG_RECORD)
        r->align = get_u64(p + 32);
    else if (r->first && !(r->first & (r->first - 1)) &&
             r->first <= UINT64_C(1) << OP_MAX_ALIGN_LOG2)
        r->align = r->first;
}

static int take_record(struct import *im, const struct record *r)
{
    switch (r->type) {
    case UNUSED:
    case MAGIC:
        return 0;
    case MALLOC:
        return import_malloc(im, r->thread, r->second, r->size);
    case CALLOC:
        return import_calloc(im, r->thread, r->second, 1, r->size);
    case FREE:
        return import_dealloc(im, r->thread, r->first);
    case REALLOC:
        return import_realloc(im, r->thread, r->first, r->second, r->size);
    case VALLOC:
    case PVALLOC:
        return import_memalign(im, r->thread, r->second, PAGE, r->size);
    case MEMALIGN:
        return import_memalign(im, r->thread, r->second, r->align, r->size);
    case POSIX_MEMALIGN: /* the first pointer is the error */
        return import_memalign(im, r->thread, r->first ? 0 : r->second,
                               r->align, r->size);
    default:
        return import_bad(im, "a type of 0..8 or 255 at byte 4 of the record");
    }
}

static size_t record_size(const char *head, size_t n)
{
    struct record r;

    if (n < LONG_RECORD)
        return SHORT_RECORD;
    unpack((const unsigned char *)head, LONG_RECORD, &r);
    return r.type == MAGIC && r.first == MAGIC_POINTER ? LONG_RECORD
                                                       : SHORT_RECORD;
}

static int glibc_raw_read(struct import *im)
{
    const unsigned char *bytes;
    const char *head;
    size_t n, got;
    int err = reader_head(&im->reader, &head, &n);

    if (err)
        return import_read_failed(im, err);
    n = record_size(head, n);
    im->unit = "byte";
    for (;; im->place += n) {
        struct record r;

        err = reader_bytes(&im->reader, n, &bytes, &got);
        if (err)
            return import_read_failed(im, err);
        if (got < n)
            break;
        unpack(bytes, n, &r);
        err = take_record(im, &r);
        if (err)
            return err;
    }
    return got ? import_fault(im, IMPORT_CUT_TAIL,
                              "%zu bytes of a record (want %zu)", got, n)
               : 0;
}

/* Records whose types, threads and pointers could be. */
static int glibc_raw_sniff(const char *head, size_t n)
{
    size_t size = record_size(head, n), used = 0;

    for (size_t i = 0; i < SNIFFED && (i + 1) * size <= n; i++) {
        struct record r;

        unpack((const unsigned char *)head + i * size, size, &r);
        if (r.type >= TYPES && r.type != MAGIC)
            return 0;
        if (r.first >> 56 || r.second >> 56 || r.size > INT64_MAX)
            return 0;
        if (r.type != UNUSED &&
            !(r.type == FREE ? r.first : r.second | r.first))
            return 0;
        used += r.type != UNUSED;
    }
    return used > 0 && (n % size == 0 || n == READER_SIZE);
}

const struct trace_format glibc_raw_format = {
    .name = "glibc-raw",
    .summary = "glibc's malloc trace",
    .suffix = "",
    .sniff = glibc_raw_sniff,
    .read = glibc_raw_read,
};
