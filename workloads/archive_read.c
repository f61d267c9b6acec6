/* archive_read.c - reads an archive, trusting nothing in it.
 *
 * open walks over the heads of all chunks to the trailer, so a file that was
 * cut short is refused before anything is played.  play then reads one chunk
 * after another: CRC, decompression, decoding, one sink call an operation.
 *
 * Decoding runs with few checks because the buffer ends with PAD zero bytes:
 * an operation that begins inside the chunk cannot run further than that, and
 * its end is checked once.
 *
 * Invariant: no length from the file is used before it was held against what
 * is left of the file and against RAW_MAX; memory is at most about
 * 2 * RAW_MAX.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "archive_format.h"
#include "ledger.h"

enum {
    WHY_SIZE = 512,
    PAD = 128 /* > the longest operation, with varints of 10 bytes each */
};

struct archive {
    struct trace_source source; /* first: play casts back */
    int fd;
    uint64_t bytes; /* of the file, when it was opened */
    uint64_t body;  /* offset of the first chunk */
    uint64_t end;   /* offset of the trailer */
    char *path;
    char *provenance;
    struct archive_totals totals;
    char *why; /* [WHY_SIZE]; written by a play on a const archive */
};

/* Where a play stands. */
struct cursor {
    const struct archive *archive;
    uint64_t offset; /* of the head of the chunk in hand */
    uint32_t chunk;  /* its number, from 1 */
    uint8_t *packed; /* [packed_capacity] */
    size_t packed_capacity;
    uint8_t *raw; /* [raw_capacity + PAD] */
    size_t raw_capacity;
    uint64_t births, ops, times;
    unsigned threads;
    ZSTD_DCtx *zstd;
};

/* One chunk's bytes while they become operations. */
struct decoder {
    const uint8_t *p, *end; /* PAD zero bytes follow end */
    uint64_t births;
    uint64_t time_ns;
    uint16_t thread;
    unsigned threads;  /* highest number so far, plus one */
    uint64_t times;    /* OP_TIME so far */
    const char *fault; /* after EBADMSG */
    char name[OP_NAME_MAX + 1];
};

/* ---- messages ---- */

static int refuse(const struct archive *a, const char *format, ...)
{
    va_list args;
    int n = snprintf(a->why, WHY_SIZE, "%s: ", a->path);

    if (n < 0 || n >= WHY_SIZE)
        return EBADMSG;
    va_start(args, format);
    vsnprintf(a->why + n, (size_t)(WHY_SIZE - n), format, args);
    va_end(args);
    return EBADMSG;
}

static int refuse_chunk(const struct cursor *c, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return refuse(c->archive, "chunk %" PRIu32 " at byte %" PRIu64 ": %s",
                  c->chunk, c->offset, text);
}

/* An error of the world: what was tried, and the system's reason. */
static int fail(const struct archive *a, const char *what, int err)
{
    refuse(a, "%s: %s", what, strerror(err));
    return err;
}

/* Read n bytes at offset; the caller knows that the file has them. */
static int read_at(const struct archive *a, void *to, size_t n, uint64_t offset)
{
    uint8_t *p = to;

    while (n) {
        ssize_t got = pread(a->fd, p, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(a, "cannot be read", errno);
        if (got == 0)
            return refuse(a, "shrank to %" PRIu64 " bytes while it was read",
                          offset);
        p += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

/* ---- bytes to operations ---- */

/* The rest of a varint whose bits below `shift` are in *v; NULL if it does
 * not fit 64 bits. */
static const uint8_t *varint_rest(const uint8_t *p, unsigned shift, uint64_t *v)
{
    for (; shift < 64; shift += 7) {
        uint64_t bits = *p & 0x7f;

        if (shift > 57 && bits >> (64 - shift))
            return NULL;
        *v |= bits << shift;
        if (*p++ < 0x80)
            return p;
    }
    return NULL;
}

static int bad(struct decoder *d, const char *fault)
{
    d->fault = fault;
    return EBADMSG;
}

static int next_varint(struct decoder *d, uint64_t *v)
{
    *v = 0;
    d->p = varint_rest(d->p, 0, v);
    return d->p ? 0 : bad(d, "a number does not fit 64 bits");
}

/* The value of a varint of at most 8 bytes at p, and its length; 0 if it is
 * longer.  No branch depends on the length, which no processor can guess: the
 * 7-bit groups of all 8 bytes are pushed together in three steps. */
static inline unsigned short_varint(const uint8_t *p, uint64_t *v)
{
    uint64_t x = get_u64(p);
    uint64_t ends = ~x & UINT64_C(0x8080808080808080);

    x &= ends ^ (ends - 1); /* drop what follows the last byte */
    x = (x & UINT64_C(0x007f007f007f007f)) |
        (x & UINT64_C(0x7f007f007f007f00)) >> 1;
    x = (x & UINT64_C(0x00003fff00003fff)) |
        (x & UINT64_C(0x3fff00003fff0000)) >> 2;
    *v = (x & UINT64_C(0x0fffffff)) | (x & UINT64_C(0x0fffffff00000000)) >> 4;
    return ends ? (unsigned)__builtin_ctzll(ends) / 8 + 1 : 0;
}

/* What an operation is, and its first operand. */
static inline int next_lead(struct decoder *d, unsigned *code, uint64_t *v)
{
    unsigned lead = *d->p;
    unsigned length = short_varint(d->p, v);

    *code = lead & 7;
    *v >>= 3;
    d->p += length;
    if (length)
        return 0;
    *v = lead >> 3 & 15; /* 67 bits would not fit before the shift */
    d->p = varint_rest(d->p + 1, 4, v);
    return d->p ? 0 : bad(d, "a number does not fit 64 bits");
}

static int next_thread(struct decoder *d, uint64_t v)
{
    if (v >= OP_MAX_THREADS)
        return bad(d, "thread out of range (want 0..1023)");
    d->thread = (uint16_t)v;
    return 0;
}

/* OP_ALLOC or OP_FREE: most of a trace, in no order that a processor could
 * guess, so without a branch between the two. */
static inline int decode_common(struct decoder *d, unsigned is_birth,
                                uint64_t v, struct op *op)
{
    uint64_t births = d->births;
    uint64_t birth = -(uint64_t)is_birth; /* a mask: all ones or 0 */
    uint64_t limit = (birth & (uint64_t)INT64_MAX) | (~birth & (births - 1));

    if (v > limit || (births | is_birth) == 0)
        return bad(d, is_birth ? "size out of range (want at most 2^63 - 1)"
                               : "names an object from before the first");
    op->kind = is_birth ? OP_ALLOC : OP_FREE;
    op->thread = d->thread;
    op->align_log2 = 0;
    op->object = births - (~birth & (v + 1));
    op->size = birth & v;
    op->name = NULL;
    d->births = births + is_birth;
    return 0;
}

static int decode_birth(struct decoder *d, enum op_kind kind, struct op *op)
{
    if (op->size > INT64_MAX)
        return bad(d, "size out of range (want at most 2^63 - 1)");
    op->kind = kind;
    op->object = d->births++;
    return 0;
}

/* The object that was born `distance` births before the youngest. */
static int decode_use(struct decoder *d, enum op_kind kind, uint64_t distance,
                      struct op *op)
{
    if (distance >= d->births)
        return bad(d, "names an object from before the first");
    op->kind = kind;
    op->object = d->births - 1 - distance;
    if (next_varint(d, &op->size))
        return EBADMSG;
    return op->size > INT64_MAX
               ? bad(d, "size out of range (want at most 2^63 - 1)")
               : 0;
}

static int decode_time(struct decoder *d, uint64_t delta, struct op *op)
{
    if (delta > UINT64_MAX - d->time_ns)
        return bad(d, "time does not fit 64 bits");
    d->time_ns += delta;
    d->times++;
    op->kind = OP_TIME;
    op->thread = 0;
    op->size = d->time_ns;
    return 0;
}

static int decode_mark(struct decoder *d, uint64_t n, struct op *op)
{
    if (n > OP_NAME_MAX)
        return bad(d, "name of a mark too long (want at most 48 bytes)");
    if (d->p > d->end || n > (size_t)(d->end - d->p))
        return bad(d, "ends inside an operation");
    memcpy(d->name, d->p, n);
    d->name[n] = '\0';
    d->p += n;
    if (strlen(d->name) != n || ledger_name_is_bad(d->name))
        return bad(d, "control byte in the name of a mark");
    op->kind = OP_MARK;
    op->name = d->name;
    return 0;
}

static int decode_other(struct decoder *d, uint64_t code, struct op *op)
{
    uint64_t v;

    if (code > OTHER_MARK)
        return bad(d, "unknown kind of operation");
    if (next_varint(d, &v))
        return EBADMSG;
    if (code == OTHER_MARK)
        return decode_mark(d, v, op);
    if (code == OTHER_ALIGNED) {
        if (v < 1 || v > OP_MAX_ALIGN_LOG2)
            return bad(d, "alignment out of range (want 2^1..2^30)");
        op->align_log2 = (uint8_t)v;
        if (next_varint(d, &op->size))
            return EBADMSG;
        return decode_birth(d, OP_ALLOC, op);
    }
    if (v >= OP_MAX_THREADS)
        return bad(d, "thread out of range (want 0..1023)");
    if (v >= d->threads)
        d->threads = (unsigned)v + 1;
    op->kind = code == OTHER_SPAWN ? OP_SPAWN : OP_JOIN;
    op->object = v;
    return 0;
}

/* Decode one operation from d->p < d->end. */
static inline int decode_op(struct decoder *d, struct op *op)
{
    unsigned code;
    uint64_t v;

    if (next_lead(d, &code, &v))
        return EBADMSG;
    if (code == CODE_THREAD) {
        if (next_thread(d, v) || next_lead(d, &code, &v))
            return EBADMSG;
    }
    if (d->thread >= d->threads && code != CODE_TIME)
        d->threads = d->thread + 1u;
    if (code <= CODE_ALLOC)
        return decode_common(d, code == CODE_ALLOC, v, op);
    *op = (struct op){.thread = d->thread, .size = v};
    switch (code) {
    case CODE_ZALLOC:
        return decode_birth(d, OP_ZALLOC, op);
    case CODE_RESIZE:
        return decode_use(d, OP_RESIZE, v, op);
    case CODE_TOUCH:
        return decode_use(d, OP_TOUCH, v, op);
    case CODE_TIME:
        return decode_time(d, v, op);
    case CODE_OTHER:
        op->size = 0;
        return decode_other(d, v, op);
    default:
        return bad(d, "changes thread twice in a row");
    }
}

/* Decode a chunk into the sink.  On a fault of the file d->fault is set; an
 * error of the sink leaves it NULL. */
static int decode_ops(struct decoder *d, uint32_t ops, struct op_sink *sink)
{
    struct op op;
    int err = 0;

    for (; ops && !err; ops--) {
        if (d->p >= d->end)
            return bad(d, "holds fewer operations than its head says");
        if (decode_op(d, &op))
            return EBADMSG;
        if (d->p > d->end)
            return bad(d, "ends inside an operation");
        err = sink->put(sink, &op);
    }
    if (!err && d->p != d->end)
        return bad(d, "holds more bytes than its operations need");
    return err;
}

/* ---- chunks ---- */

static int check_head(const struct cursor *c, const struct chunk_head *h)
{
    uint64_t room = c->archive->bytes - c->offset - CHUNK_HEAD_SIZE;

    if (h->ops < 1 || h->ops > ARCHIVE_CHUNK_OPS)
        return refuse_chunk(c, "%" PRIu32 " operations (want 1..%d)", h->ops,
                            ARCHIVE_CHUNK_OPS);
    if (h->raw_size < h->ops || h->raw_size > (uint64_t)h->ops * OP_BYTES_MAX)
        return refuse_chunk(c,
                            "%" PRIu32 " bytes unpacked for %" PRIu32
                            " operations (want 1..%d each)",
                            h->raw_size, h->ops, OP_BYTES_MAX);
    if (h->packed_size > ZSTD_compressBound(h->raw_size))
        return refuse_chunk(c, "%" PRIu32 " bytes packed (want at most %zu)",
                            h->packed_size, ZSTD_compressBound(h->raw_size));
    if (h->packed_size > room)
        return refuse(c->archive,
                      "ends at byte %" PRIu64 " inside chunk %" PRIu32
                      " (want a trailer)",
                      c->archive->bytes, c->chunk);
    return 0;
}

static int reserve(uint8_t **buffer, size_t *capacity, size_t n, size_t pad)
{
    if (*buffer && n <= *capacity)
        return 0;
    free(*buffer);
    *buffer = malloc(n + pad);
    *capacity = n;
    return *buffer ? 0 : ENOMEM;
}

/* Read and check the chunk at c->offset; its operations are then in c->raw,
 * padded. */
static int load_chunk(struct cursor *c, struct chunk_head *h)
{
    const struct archive *a = c->archive;
    uint8_t head[CHUNK_HEAD_SIZE];
    int err = read_at(a, head, sizeof head, c->offset);

    if (err)
        return err;
    chunk_head_unpack(head, h);
    err = check_head(c, h); /* again: the file may have changed since open */
    if (!err)
        err = reserve(&c->packed, &c->packed_capacity, h->packed_size, 1);
    if (!err)
        err = reserve(&c->raw, &c->raw_capacity, h->raw_size, PAD);
    if (!err)
        err =
            read_at(a, c->packed, h->packed_size, c->offset + CHUNK_HEAD_SIZE);
    if (err)
        return err;
    uint32_t crc = chunk_crc(head, c->packed, h->packed_size);
    if (crc != h->crc)
        return refuse_chunk(c, "CRC is %08" PRIx32 " (want %08" PRIx32 ")", crc,
                            h->crc);
    size_t n = ZSTD_decompressDCtx(c->zstd, c->raw, h->raw_size, c->packed,
                                   h->packed_size);
    if (ZSTD_isError(n))
        return refuse_chunk(c, "cannot be unpacked: %s", ZSTD_getErrorName(n));
    if (n != h->raw_size)
        return refuse_chunk(c, "unpacks to %zu bytes (want %" PRIu32 ")", n,
                            h->raw_size);
    memset(c->raw + n, 0, PAD);
    return 0;
}

static int play_chunk(struct cursor *c, struct op_sink *sink)
{
    struct chunk_head h;
    int err = load_chunk(c, &h);

    if (err)
        return err;
    if (h.first_birth != c->births)
        return refuse_chunk(c, "first birth is %" PRIu64 " (want %" PRIu64 ")",
                            h.first_birth, c->births);
    struct decoder d = {.p = c->raw,
                        .end = c->raw + h.raw_size,
                        .births = c->births,
                        .threads = c->threads};

    err = decode_ops(&d, h.ops, sink);
    if (d.fault)
        return refuse_chunk(c, "%s", d.fault);
    c->births = d.births;
    c->threads = d.threads;
    c->times += d.times;
    c->ops += h.ops - d.times;
    c->offset += CHUNK_HEAD_SIZE + h.packed_size;
    c->chunk++;
    return err;
}

static int check_sum(const struct archive *a, const char *what, uint64_t is,
                     uint64_t want)
{
    if (is == want)
        return 0;
    return refuse(a, "holds %" PRIu64 " %s (the trailer says %" PRIu64 ")", is,
                  what, want);
}

static int check_sums(const struct cursor *c)
{
    const struct archive *a = c->archive;
    int err = check_sum(a, "operations", c->ops, a->totals.ops);

    if (!err)
        err = check_sum(a, "time stamps", c->times, a->totals.times);
    if (!err)
        err = check_sum(a, "births", c->births, a->totals.births);
    if (!err)
        err = check_sum(a, "threads", c->threads, a->totals.threads);
    return err;
}

static int archive_play(const struct trace_source *source, struct op_sink *sink)
{
    const struct archive *a = (const struct archive *)source;
    struct cursor c = {.archive = a, .offset = a->body, .chunk = 1};
    int err = 0;

    a->why[0] = '\0';
    c.zstd = ZSTD_createDCtx();
    if (!c.zstd)
        return ENOMEM;
    while (!err && c.offset < a->end)
        err = play_chunk(&c, sink);
    if (!err)
        err = check_sums(&c);
    ZSTD_freeDCtx(c.zstd);
    free(c.packed);
    free(c.raw);
    return err;
}

/* ---- opening ---- */

static int read_provenance(struct archive *a, const uint8_t *header)
{
    uint32_t n = get_u32(header + 12);

    if (n > ARCHIVE_PROVENANCE_MAX)
        return refuse(a, "provenance of %" PRIu32 " bytes (want at most %d)", n,
                      ARCHIVE_PROVENANCE_MAX);
    if (n > a->bytes - HEADER_SIZE)
        return refuse(a, "ends at byte %" PRIu64 " inside the provenance",
                      a->bytes);
    a->provenance = calloc(1, n + 1);
    if (!a->provenance)
        return fail(a, "provenance", ENOMEM);
    int err = read_at(a, a->provenance, n, HEADER_SIZE);
    if (err)
        return err;
    uint32_t crc = header_crc(header, a->provenance, n);
    if (crc != get_u32(header + 16))
        return refuse(a,
                      "header and provenance: CRC is %08" PRIx32
                      " (want %08" PRIx32 ")",
                      crc, get_u32(header + 16));
    const char *fault = provenance_fault(a->provenance, n);
    a->body = HEADER_SIZE + n;
    return fault ? refuse(a, "provenance %s", fault) : 0;
}

static int read_header(struct archive *a)
{
    uint8_t header[HEADER_SIZE] = {0};
    size_t n = a->bytes < HEADER_SIZE ? (size_t)a->bytes : HEADER_SIZE;
    int err = read_at(a, header, n, 0);

    if (err)
        return err;
    if (n == 0 ||
        memcmp(header, ARCHIVE_MAGIC, n < MAGIC_SIZE ? n : MAGIC_SIZE) != 0)
        return refuse(a, "is no trace archive (want the magic bytes "
                         "89 48 59 54 0d 0a 1a 0a at its start)");
    if (n < HEADER_SIZE)
        return refuse(a, "ends at byte %zu inside the header (want %d bytes)",
                      n, HEADER_SIZE);
    if (get_u16(header + 8) != ARCHIVE_VERSION)
        return refuse(a, "is of version %u (this program reads version %d)",
                      (unsigned)get_u16(header + 8), ARCHIVE_VERSION);
    if (get_u16(header + 10) != 0)
        return refuse(a, "flags are %#x at byte 10 (want 0)",
                      (unsigned)get_u16(header + 10));
    return read_provenance(a, header);
}

static int read_trailer(const struct cursor *c, struct archive *a)
{
    uint8_t trailer[TRAILER_SIZE];
    uint64_t left = a->bytes - c->offset;

    if (left < TRAILER_SIZE)
        return refuse(a, "ends at byte %" PRIu64 " inside the trailer",
                      a->bytes);
    int err = read_at(a, trailer, sizeof trailer, c->offset);
    if (err)
        return err;
    if (trailer_crc(trailer) != get_u32(trailer + 60))
        return refuse(a,
                      "trailer at byte %" PRIu64 ": CRC is %08" PRIx32
                      " (want %08" PRIx32 ")",
                      c->offset, trailer_crc(trailer), get_u32(trailer + 60));
    if (left > TRAILER_SIZE)
        return refuse(a,
                      "%" PRIu64 " bytes follow the trailer at byte %" PRIu64
                      " (want none)",
                      left - TRAILER_SIZE, c->offset);
    trailer_unpack(trailer, &a->totals);
    a->end = c->offset;
    return check_sum(a, "chunks", c->chunk - 1, a->totals.chunks);
}

/* Step over the chunk at c->offset, which has its magic. */
static int skip_chunk(struct cursor *c)
{
    uint8_t head[CHUNK_HEAD_SIZE];
    struct chunk_head h;
    int err = read_at(c->archive, head, sizeof head, c->offset);

    if (err)
        return err;
    chunk_head_unpack(head, &h);
    err = check_head(c, &h);
    if (err)
        return err;
    c->offset += CHUNK_HEAD_SIZE + h.packed_size;
    c->chunk++;
    return 0;
}

/* Walk from head to head until the trailer. */
static int find_trailer(struct archive *a)
{
    struct cursor c = {.archive = a, .offset = a->body, .chunk = 1};
    uint8_t magic[4];
    int err = 0;

    while (!err) {
        uint64_t left = a->bytes - c.offset;

        if (left < sizeof magic)
            return refuse(a,
                          "ends at byte %" PRIu64 " after %" PRIu32
                          " chunks (want a trailer)",
                          a->bytes, c.chunk - 1);
        err = read_at(a, magic, sizeof magic, c.offset);
        if (!err && get_u32(magic) == TRAILER_MAGIC)
            return read_trailer(&c, a);
        if (!err && get_u32(magic) != CHUNK_MAGIC)
            return refuse(a,
                          "byte %" PRIu64
                          ": neither a chunk (HYTC) nor the trailer (HYTE)",
                          c.offset);
        if (!err && left < CHUNK_HEAD_SIZE)
            return refuse(a,
                          "ends at byte %" PRIu64 " inside chunk %" PRIu32
                          " (want a trailer)",
                          a->bytes, c.chunk);
        if (!err)
            err = skip_chunk(&c);
    }
    return err;
}

static int open_file(struct archive *a)
{
    struct stat st;

    a->fd = open(a->path, O_RDONLY | O_CLOEXEC);
    if (a->fd < 0)
        return fail(a, "cannot be opened", errno);
    if (fstat(a->fd, &st))
        return fail(a, "cannot be opened", errno);
    if (!S_ISREG(st.st_mode)) {
        refuse(a, "is no regular file");
        return S_ISDIR(st.st_mode) ? EISDIR : ENOTSUP;
    }
    a->bytes = (uint64_t)st.st_size;
    int err = read_header(a);
    return err ? err : find_trailer(a);
}

int archive_open(const char *path, struct archive **out, char *why,
                 size_t why_size)
{
    struct archive *a = calloc(1, sizeof *a);
    int err = ENOMEM;

    if (a) {
        a->source.play = archive_play;
        a->fd = -1;
        a->path = strdup(path);
        a->why = calloc(1, WHY_SIZE);
        if (a->path && a->why)
            err = open_file(a);
    }
    if (!err) {
        *out = a;
        return 0;
    }
    if (a && a->why && a->why[0])
        snprintf(why, why_size, "%s", a->why);
    else
        snprintf(why, why_size, "%s: %s", path, strerror(err));
    archive_close(a);
    return err;
}

void archive_close(struct archive *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    free(a->provenance);
    free(a->path);
    free(a->why);
    free(a);
}

const char *archive_provenance(const struct archive *a)
{
    return a->provenance;
}

const struct archive_totals *archive_totals(const struct archive *a)
{
    return &a->totals;
}

uint64_t archive_ops(const struct archive *a)
{
    return a->totals.ops;
}

uint64_t archive_bytes(const struct archive *a)
{
    return a->bytes;
}

const struct trace_source *archive_source(const struct archive *a)
{
    return &a->source;
}

const char *archive_why(const struct archive *a)
{
    return a->why;
}
