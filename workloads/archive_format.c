/* archive_format.c - fixed-size parts of an archive, to bytes and back.
 *
 * Every byte of a file is under one of the CRCs (CRC-32 of zlib) or is a
 * CRC, so no changed byte goes unnoticed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "archive_format.h"

#include <string.h>
#include <zlib.h>

static uint32_t crc_of(uint32_t crc, const void *bytes, size_t n)
{
    /* zlib returns the initial value for a null pointer, whatever crc is */
    return n ? (uint32_t)crc32(crc, bytes, (uInt)n) : crc;
}

/* Bytes of the UTF-8 character at p (n bytes are left), or 0 if it is none,
 * or a control character (C0 but newline, DEL, C1: terminals obey them). */
static size_t printable(const unsigned char *p, size_t n)
{
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xc2 ? 0
                    : p[0] < 0xe0 ? 2
                    : p[0] < 0xf0 ? 3
                    : p[0] < 0xf5 ? 4
                                  : 0;

    if (length == 1)
        return (p[0] >= 0x20 && p[0] != 0x7f) || p[0] == '\n';
    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) ||
        (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

static int is_key_value(const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);

    return n == 0 || (colon && colon > line);
}

const char *provenance_fault(const char *text, size_t n)
{
    if (n > ARCHIVE_PROVENANCE_MAX)
        return "longer than 16384 bytes";
    for (size_t i = 0, step; i < n; i += step) {
        step = printable((const unsigned char *)text + i, n - i);
        if (!step)
            return "holds control bytes or is no UTF-8";
    }
    for (size_t i = 0; i < n;) {
        const char *end = memchr(text + i, '\n', n - i);
        size_t length = end ? (size_t)(end - text) - i : n - i;

        if (!is_key_value(text + i, length))
            return "has a line that is no \"key: value\"";
        i += length + 1;
    }
    return NULL;
}

uint32_t header_crc(const uint8_t header[HEADER_SIZE], const char *provenance,
                    size_t n)
{
    return crc_of(crc_of(0, header, HEADER_SIZE - 4), provenance, n);
}

void chunk_head_pack(const struct chunk_head *h, uint8_t out[CHUNK_HEAD_SIZE])
{
    put_u32(out, CHUNK_MAGIC);
    put_u32(out + 4, h->raw_size);
    put_u32(out + 8, h->packed_size);
    put_u32(out + 12, h->ops);
    put_u64(out + 16, h->first_birth);
    put_u32(out + 24, h->crc);
}

void chunk_head_unpack(const uint8_t in[CHUNK_HEAD_SIZE], struct chunk_head *h)
{
    *h = (struct chunk_head){.raw_size = get_u32(in + 4),
                             .packed_size = get_u32(in + 8),
                             .ops = get_u32(in + 12),
                             .first_birth = get_u64(in + 16),
                             .crc = get_u32(in + 24)};
}

uint32_t chunk_crc(const uint8_t head[CHUNK_HEAD_SIZE], const uint8_t *packed,
                   size_t n)
{
    return crc_of(crc_of(0, head, CHUNK_HEAD_SIZE - 4), packed, n);
}

void trailer_pack(const struct archive_totals *t, uint8_t out[TRAILER_SIZE])
{
    put_u32(out, TRAILER_MAGIC);
    put_u32(out + 4, t->chunks);
    put_u64(out + 8, t->ops);
    put_u64(out + 16, t->times);
    put_u64(out + 24, t->births);
    put_u64(out + 32, t->peak_bytes);
    put_u64(out + 40, t->left_blocks);
    put_u64(out + 48, t->left_bytes);
    put_u32(out + 56, t->threads);
    put_u32(out + 60, trailer_crc(out));
}

void trailer_unpack(const uint8_t in[TRAILER_SIZE], struct archive_totals *t)
{
    *t = (struct archive_totals){.chunks = get_u32(in + 4),
                                 .ops = get_u64(in + 8),
                                 .times = get_u64(in + 16),
                                 .births = get_u64(in + 24),
                                 .peak_bytes = get_u64(in + 32),
                                 .left_blocks = get_u64(in + 40),
                                 .left_bytes = get_u64(in + 48),
                                 .threads = get_u32(in + 56)};
}

uint32_t trailer_crc(const uint8_t trailer[TRAILER_SIZE])
{
    return crc_of(0, trailer, TRAILER_SIZE - 4);
}
