/* fuzz_archive.c - any bytes are an archive or are refused with a reason.
 *
 * The input is taken as a file.  Checksums would keep a fuzzer out, so an
 * input whose first byte is odd has its CRCs set right before it is read (the
 * first byte itself is not part of the file).  Compression would keep it out of
 * the decoder, so with bit 1 of the first byte the rest are the bytes of one
 * chunk, and the file around them is made here.  What opens is played into the
 * figures of a trace, printed, and, if it is well formed, written again: the
 * copy must play the same operations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create: no file on disk for each input */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "archive.h"
#include "archive_format.h"
#include "trace_info.h"

enum { INPUT_MAX = 1 << 16, WHY_SIZE = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set the CRCs of header, chunks and trailer right, as far as they can be
 * found. */
static void mend(uint8_t *file, size_t size)
{
    if (size < HEADER_SIZE)
        return;
    size_t at = get_u32(file + 12);

    if (at > size - HEADER_SIZE)
        return;
    put_u32(file + 16, header_crc(file, (const char *)file + HEADER_SIZE, at));
    at += HEADER_SIZE;
    while (size - at >= CHUNK_HEAD_SIZE && get_u32(file + at) == CHUNK_MAGIC) {
        size_t packed = get_u32(file + at + 8);

        if (packed > size - at - CHUNK_HEAD_SIZE)
            return;
        put_u32(file + at + 24,
                chunk_crc(file + at, file + at + CHUNK_HEAD_SIZE, packed));
        at += CHUNK_HEAD_SIZE + packed;
    }
    if (size - at >= TRAILER_SIZE)
        put_u32(file + at + 60, trailer_crc(file + at));
}

/* Make a file of one chunk with these contents.  Returns its size. */
static size_t wrap(const struct archive_totals *totals, const uint8_t *raw,
                   size_t raw_size, uint8_t *file, size_t capacity)
{
    uint8_t *p = file;

    memset(p, 0, HEADER_SIZE);
    memcpy(p, ARCHIVE_MAGIC, MAGIC_SIZE);
    put_u16(p + 8, ARCHIVE_VERSION);
    p += HEADER_SIZE;
    size_t n =
        ZSTD_compress(p + CHUNK_HEAD_SIZE,
                      capacity - HEADER_SIZE - CHUNK_HEAD_SIZE - TRAILER_SIZE,
                      raw, raw_size, 1);
    if (ZSTD_isError(n))
        abort();
    chunk_head_pack(
        &(struct chunk_head){.raw_size = (uint32_t)raw_size,
                             .packed_size = (uint32_t)n,
                             .ops = (uint32_t)(totals->ops + totals->times)},
        p);
    p += CHUNK_HEAD_SIZE + n;
    trailer_pack(totals, p);
    p += TRAILER_SIZE;
    mend(file, (size_t)(p - file));
    return (size_t)(p - file);
}

/* A 64-bit digest (FNV-1a) of all operations. */
struct digest {
    struct op_sink sink;
    uint64_t value, ops;
};

static void digest_bytes(struct digest *d, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        d->value =
            (d->value ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

static int digest_put(struct op_sink *sink, const struct op *op)
{
    struct digest *d = (struct digest *)sink;
    uint64_t fields[] = {(uint64_t)op->kind, op->thread, op->align_log2,
                         op->object, op->size};

    digest_bytes(d, fields, sizeof fields);
    if (op->name)
        digest_bytes(d, op->name, strlen(op->name));
    d->ops++;
    return 0;
}

static struct digest digest_of(const struct archive *archive)
{
    struct digest d = {.sink.put = digest_put, .value = 1};

    if (archive_source(archive)->play(archive_source(archive), &d.sink))
        abort();
    return d;
}

/* Returns whether the archive is whole and well formed. */
static int gather(const struct archive *archive)
{
    struct trace_info *info;
    size_t text_size;
    char *text;

    if (trace_info_create(&info))
        abort();
    int err = archive_source(archive)->play(archive_source(archive),
                                            trace_info_sink(info));
    if (err && err != EBADMSG)
        abort();
    if (err && !archive_why(archive)[0] && !trace_info_why(info)[0])
        abort(); /* refused without a reason */
    if (!err) {
        FILE *out = open_memstream(&text, &text_size);

        trace_figures_print(trace_info_finish(info), out);
        trace_figures_csv(trace_info_finish(info), out);
        fclose(out);
        free(text);
    }
    trace_info_destroy(info);
    return err == 0;
}

static void copy_is_equal(const struct archive *archive)
{
    char path[64], why[WHY_SIZE];
    struct archive_writer *writer;
    struct archive *copy;

    snprintf(path, sizeof path, "/dev/shm/fuzz-archive-%ld.hyt",
             (long)getpid());
    if (archive_create(path, archive_provenance(archive), 1, &writer))
        return; /* there is no such folder here */
    if (archive_source(archive)->play(archive_source(archive),
                                      archive_sink(writer)) ||
        archive_commit(writer) || archive_open(path, &copy, why, sizeof why))
        abort();
    struct digest a = digest_of(archive), b = digest_of(copy);
    if (a.value != b.value || a.ops != b.ops)
        abort();
    archive_close(copy);
    unlink(path);
}

/* Open the bytes as a file.  Returns NULL if they are refused. */
static struct archive *open_bytes(const uint8_t *file, size_t size)
{
    char path[64], why[WHY_SIZE] = "";
    struct archive *archive = NULL;
    int fd = memfd_create("archive", MFD_CLOEXEC);

    if (fd < 0 || write(fd, file, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int err = archive_open(path, &archive, why, sizeof why);
    if (err && (err != EBADMSG || !why[0]))
        abort();
    close(fd);
    return err ? NULL : archive;
}

/* What a sink has seen, for a trailer that says so. */
struct census {
    struct op_sink sink;
    struct archive_totals totals;
};

static int census_put(struct op_sink *sink, const struct op *op)
{
    struct archive_totals *t = &((struct census *)sink)->totals;
    uint32_t last = op->thread;

    if (op->kind == OP_TIME) {
        t->times++;
        return 0;
    }
    if (op->kind == OP_SPAWN || op->kind == OP_JOIN)
        last = op->object > last ? (uint32_t)op->object : last;
    t->threads = last >= t->threads ? last + 1 : t->threads;
    t->births += op->kind == OP_ALLOC || op->kind == OP_ZALLOC;
    t->ops++;
    return 0;
}

/* As many operations as raw[n] holds, with a right trailer. */
static size_t wrap_right(const uint8_t *raw, size_t n, uint8_t *file,
                         size_t capacity)
{
    struct archive_totals guess = {.ops = n, .chunks = 1};
    struct census census = {.sink.put = census_put};
    size_t size = wrap(&guess, raw, n, file, capacity);
    struct archive *archive = open_bytes(file, size);

    if (!archive)
        return size;
    archive_source(archive)->play(archive_source(archive), &census.sink);
    archive_close(archive);
    census.totals.chunks = 1;
    return wrap(&census.totals, raw, n, file, capacity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[2 * INPUT_MAX];

    if (size < 1 || size > INPUT_MAX)
        return 0;
    size_t n = size - 1;
    if (data[0] & 2) {
        n = wrap_right(data + 1, n, file, sizeof file);
    } else {
        memcpy(file, data + 1, n);
        if (data[0] & 1)
            mend(file, n);
    }
    struct archive *archive = open_bytes(file, n);
    if (!archive)
        return 0;
    if (gather(archive))
        copy_is_equal(archive);
    archive_close(archive);
    return 0;
}
