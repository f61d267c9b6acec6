/* archive_write.c - writes a trace as an archive.
 *
 * Operations are encoded into one chunk in memory; a full chunk is compressed
 * and written.  A ledger refuses malformed streams and gives the totals of
 * the trailer.  The file grows under a temporary name in the same folder and
 * is renamed when all of it is on disk, so path is the old file or the whole
 * new one.
 *
 * Invariant: each chunk can be decoded alone, from its own head: its thread
 * and time start from 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "archive_format.h"
#include "ledger.h"

struct archive_writer {
    struct op_sink sink; /* first: put casts back */
    struct ledger ledger;
    char *path, *temporary;
    int fd;
    int err;   /* the first; nothing is written after it */
    int level; /* of zstd */
    size_t provenance_size;
    uint32_t chunks;

    /* the chunk in hand */
    uint32_t ops;
    uint64_t first_birth;
    uint16_t thread;  /* of the operation before */
    uint64_t time_ns; /* of the OP_TIME before */
    size_t raw_size;
    uint8_t *raw;    /* [RAW_MAX] */
    uint8_t *packed; /* [CHUNK_HEAD_SIZE + packed_capacity] */
    size_t packed_capacity;
    ZSTD_CCtx *zstd;
};

/* ---- operations to bytes ---- */

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

/* Code in bits 0-2, the operand's low bits in 3-6, "more follows" in 7. */
static uint8_t *put_lead(uint8_t *p, enum op_code code, uint64_t v)
{
    unsigned lead = (unsigned)code | (unsigned)(v & 15) << 3;

    if (v < 16) {
        *p++ = (uint8_t)lead;
        return p;
    }
    *p++ = (uint8_t)(lead | 0x80);
    return put_varint(p, v >> 4);
}

static uint8_t *put_other(uint8_t *p, enum other_code code, uint64_t v)
{
    return put_varint(put_lead(p, CODE_OTHER, code), v);
}

static uint8_t *put_mark(uint8_t *p, const char *name)
{
    size_t n = strlen(name);

    p = put_other(p, OTHER_MARK, n);
    memcpy(p, name, n); /* NOLINT(bugprone-not-null-terminated-result) */
    return p + n;
}

static uint8_t *put_alloc(uint8_t *p, const struct op *op)
{
    if (op->align_log2 == 0)
        return put_lead(p, CODE_ALLOC, op->size);
    return put_varint(put_other(p, OTHER_ALIGNED, op->align_log2), op->size);
}

/* `births` before the operation; it is sound by the ledger. */
static uint8_t *put_op(uint8_t *p, const struct op *op, uint64_t births)
{
    uint64_t distance = births - 1 - op->object;

    switch (op->kind) {
    case OP_ALLOC:
        return put_alloc(p, op);
    case OP_ZALLOC:
        return put_lead(p, CODE_ZALLOC, op->size);
    case OP_RESIZE:
        return put_varint(put_lead(p, CODE_RESIZE, distance), op->size);
    case OP_FREE:
        return put_lead(p, CODE_FREE, distance);
    case OP_TOUCH:
        return put_varint(put_lead(p, CODE_TOUCH, distance), op->size);
    case OP_SPAWN:
        return put_other(p, OTHER_SPAWN, op->object);
    case OP_JOIN:
        return put_other(p, OTHER_JOIN, op->object);
    case OP_MARK:
        return put_mark(p, op->name);
    default:
        return p;
    }
}

static void encode(struct archive_writer *w, const struct op *op)
{
    uint8_t *p = w->raw + w->raw_size;

    if (op->kind == OP_TIME) {
        p = put_lead(p, CODE_TIME, op->size - w->time_ns);
        w->time_ns = op->size;
    } else {
        int is_birth = op->kind == OP_ALLOC || op->kind == OP_ZALLOC;

        if (op->thread != w->thread)
            p = put_lead(p, CODE_THREAD, op->thread);
        w->thread = op->thread;
        /* the ledger has entered the birth already */
        p = put_op(p, op, w->ledger.births - (is_birth ? 1 : 0));
    }
    w->raw_size = (size_t)(p - w->raw);
    w->ops++;
}

/* ---- chunks to the file ---- */

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

static int flush_chunk(struct archive_writer *w)
{
    uint8_t *frame = w->packed + CHUNK_HEAD_SIZE;
    size_t n = ZSTD_compressCCtx(w->zstd, frame, w->packed_capacity, w->raw,
                                 w->raw_size, w->level);

    if (ZSTD_isError(n))
        return ENOMEM; /* the only way: the output has room for the worst */
    struct chunk_head head = {.raw_size = (uint32_t)w->raw_size,
                              .packed_size = (uint32_t)n,
                              .ops = w->ops,
                              .first_birth = w->first_birth};

    chunk_head_pack(&head, w->packed);
    head.crc = chunk_crc(w->packed, frame, n);
    chunk_head_pack(&head, w->packed);
    w->chunks++;
    w->ops = 0;
    w->raw_size = 0;
    w->first_birth = w->ledger.births;
    w->thread = 0;
    w->time_ns = 0;
    return write_all(w->fd, w->packed, CHUNK_HEAD_SIZE + n);
}

static int writer_put(struct op_sink *sink, const struct op *op)
{
    struct archive_writer *w = (struct archive_writer *)sink;
    struct live before;

    if (w->err)
        return w->err;
    w->err = ledger_apply(&w->ledger, op, &before);
    if (w->err)
        return w->err;
    encode(w, op);
    if (w->ops == ARCHIVE_CHUNK_OPS)
        w->err = flush_chunk(w);
    return w->err;
}

/* ---- the file ---- */

static int write_header(struct archive_writer *w, const char *provenance,
                        size_t n)
{
    uint8_t header[HEADER_SIZE] = {0};
    int err;

    w->provenance_size = n;
    memcpy(header, ARCHIVE_MAGIC, MAGIC_SIZE);
    put_u16(header + 8, ARCHIVE_VERSION);
    put_u32(header + 12, (uint32_t)n);
    put_u32(header + 16, header_crc(header, provenance, n));
    err = write_all(w->fd, header, sizeof header);
    return err ? err : write_all(w->fd, (const uint8_t *)provenance, n);
}

static int write_trailer(struct archive_writer *w)
{
    const struct ledger *l = &w->ledger;
    struct archive_totals totals = {.ops = l->ops,
                                    .times = l->times,
                                    .births = l->births,
                                    .peak_bytes = l->peak_bytes,
                                    .left_blocks = ledger_blocks(l),
                                    .left_bytes = l->live_bytes,
                                    .threads = l->threads,
                                    .chunks = w->chunks};
    uint8_t bytes[TRAILER_SIZE];

    trailer_pack(&totals, bytes);
    return write_all(w->fd, bytes, sizeof bytes);
}

/* A name beside path that nobody has: renaming stays within a file system. */
static int open_temporary(struct archive_writer *w)
{
    size_t size = strlen(w->path) + 32;

    w->temporary = malloc(size);
    if (!w->temporary)
        return ENOMEM;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(w->temporary, size, "%s.%ld-%u.tmp", w->path, (long)getpid(),
                 i);
        w->fd =
            open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    int err = errno;

    free(w->temporary); /* not ours: archive_abandon must not remove it */
    w->temporary = NULL;
    return err;
}

/* Renaming over a device or a folder would do harm, or fail at the end. */
static int check_target(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return ENOTSUP;
    return 0;
}

static int writer_open(struct archive_writer *w, const char *path,
                       const char *provenance)
{
    int err = check_target(path);

    if (!err)
        err = ledger_init(&w->ledger);
    if (err)
        return err;
    w->path = strdup(path);
    w->packed_capacity = ZSTD_compressBound(RAW_MAX);
    w->raw = malloc(RAW_MAX);
    w->packed = malloc(CHUNK_HEAD_SIZE + w->packed_capacity);
    w->zstd = ZSTD_createCCtx();
    if (!w->path || !w->raw || !w->packed || !w->zstd)
        return ENOMEM;
    err = open_temporary(w);
    return err ? err : write_header(w, provenance, strlen(provenance));
}

int archive_create(const char *path, const char *provenance, int level,
                   struct archive_writer **out)
{
    struct archive_writer *w;
    int err;

    if (level < 1 || level > 19 ||
        provenance_fault(provenance, strlen(provenance)))
        return EINVAL;
    w = calloc(1, sizeof *w);
    if (!w)
        return ENOMEM;
    w->sink.put = writer_put;
    w->fd = -1;
    w->level = level;
    err = writer_open(w, path, provenance);
    if (err) {
        archive_abandon(w);
        return err;
    }
    *out = w;
    return 0;
}

int archive_amend(struct archive_writer *w, const char *provenance)
{
    size_t size = w->provenance_size, n = strlen(provenance);
    char *padded;

    if (n > size || provenance_fault(provenance, n))
        return EINVAL;
    padded = malloc(size + 1);
    if (!padded)
        return ENOMEM;
    memset(padded, '\n', size);
    memcpy(padded, provenance, n);
    off_t end = lseek(w->fd, 0, SEEK_CUR);
    int err = end < 0 || lseek(w->fd, 0, SEEK_SET) < 0 ? errno : 0;

    if (!err)
        err = write_header(w, padded, size);
    if (!err && lseek(w->fd, end, SEEK_SET) < 0)
        err = errno;
    free(padded);
    return err;
}

struct op_sink *archive_sink(struct archive_writer *w)
{
    return &w->sink;
}

const char *archive_writer_why(const struct archive_writer *w)
{
    return w->ledger.why;
}

/* The new name is on disk only when its folder is. */
static int sync_folder(const char *path)
{
    char *copy = strdup(path);
    int err = 0;

    if (!copy)
        return ENOMEM;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* EINVAL: a file system that cannot sync folders, nothing to be done */
    if (fd < 0 || (fsync(fd) && errno != EINVAL))
        err = errno;
    if (fd >= 0)
        close(fd);
    free(copy);
    return err == EACCES ? 0 : err; /* a folder that may be written only */
}

static int finish_file(struct archive_writer *w)
{
    int err = w->err;

    if (!err && w->ops)
        err = flush_chunk(w);
    if (!err)
        err = write_trailer(w);
    if (!err && fsync(w->fd))
        err = errno;
    if (!err) {
        int fd = w->fd;

        w->fd = -1;
        err = close(fd) ? errno : 0;
    }
    return err;
}

int archive_commit(struct archive_writer *w)
{
    int err = finish_file(w);

    if (!err && rename(w->temporary, w->path))
        err = errno;
    if (!err) {
        free(w->temporary);
        w->temporary = NULL;
        err = sync_folder(w->path);
    }
    archive_abandon(w);
    return err;
}

void archive_abandon(struct archive_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        unlink(w->temporary);
    ledger_free(&w->ledger);
    ZSTD_freeCCtx(w->zstd);
    free(w->packed);
    free(w->raw);
    free(w->temporary);
    free(w->path);
    free(w);
}
