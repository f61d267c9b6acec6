/* archive_format.h - the layout of an archive, for its writer and reader.
 *
 * Private to archive_write.c, archive_read.c and their tests;
 * traces/README.md tells the same byte by byte.  All integers are
 * little-endian, whatever the machine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ARCHIVE_FORMAT_H
#define HEAPYARD_ARCHIVE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "archive.h"

#define ARCHIVE_MAGIC "\x89HYT\r\n\x1a\n" /* 8 bytes; broken by text mode */

enum {
    CHUNK_MAGIC = 0x43545948,   /* "HYTC" as a little-endian number */
    TRAILER_MAGIC = 0x45545948, /* "HYTE" */
    MAGIC_SIZE = 8,
    HEADER_SIZE = 20,
    CHUNK_HEAD_SIZE = 28,
    TRAILER_SIZE = 64,
    /* The longest operation is a mark: 2 bytes for the thread, 2 to lead, the
     * name.  A decoder may so refuse what is longer before it allocates. */
    OP_BYTES_MAX = 64,
    RAW_MAX = ARCHIVE_CHUNK_OPS * OP_BYTES_MAX
};

/* The low three bits of an operation's first byte. */
enum op_code {
    CODE_FREE,   /* distance */
    CODE_ALLOC,  /* size */
    CODE_ZALLOC, /* size */
    CODE_RESIZE, /* distance; size */
    CODE_TOUCH,  /* distance; size */
    CODE_THREAD, /* thread: of the operation that follows and all later */
    CODE_TIME,   /* nanoseconds since the OP_TIME before in this chunk */
    CODE_OTHER   /* enum other_code */
};

/* The operand of CODE_OTHER. */
enum other_code {
    OTHER_ALIGNED, /* log2 of the alignment; size */
    OTHER_SPAWN,   /* thread */
    OTHER_JOIN,    /* thread */
    OTHER_MARK     /* length; so many bytes */
};

struct chunk_head {
    uint32_t raw_size;    /* bytes of the operations, 1 .. RAW_MAX */
    uint32_t packed_size; /* bytes of the zstd frame that follows */
    uint32_t ops;         /* 1 .. ARCHIVE_CHUNK_OPS, OP_TIME included */
    uint64_t first_birth; /* births in all chunks before */
    uint32_t crc;         /* of the 24 bytes before it and of the frame */
};

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

/* What is wrong with provenance text[n], or NULL. */
const char *provenance_fault(const char *text, size_t n);

/* The CRC of a file's header (its 16 bytes before the CRC) and provenance. */
uint32_t header_crc(const uint8_t header[HEADER_SIZE], const char *provenance,
                    size_t n);

/* Chunk heads as bytes and back; the CRC is carried, not checked. */
void chunk_head_pack(const struct chunk_head *, uint8_t out[CHUNK_HEAD_SIZE]);
void chunk_head_unpack(const uint8_t in[CHUNK_HEAD_SIZE], struct chunk_head *);
uint32_t chunk_crc(const uint8_t head[CHUNK_HEAD_SIZE], const uint8_t *packed,
                   size_t n);

/* Pack writes the trailer with its CRC; unpack does not check it. */
void trailer_pack(const struct archive_totals *, uint8_t out[TRAILER_SIZE]);
void trailer_unpack(const uint8_t in[TRAILER_SIZE], struct archive_totals *);
uint32_t trailer_crc(const uint8_t trailer[TRAILER_SIZE]);

#endif
