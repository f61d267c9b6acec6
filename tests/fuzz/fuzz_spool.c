/* fuzz_spool.c - whatever a spool holds, what it plays is well-formed.
 *
 * The first byte says what the others are: raw bytes of both files; or, under
 * a good header, chunks of small numbers from which records are composed, so
 * that the merge of threads and the map of addresses get work.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "spool.h"

enum { ROOM = 1 << 20, RAW = 1, CHUNK_RECORDS = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(8) unsigned char spool_file[ROOM], bufs_file[ROOM];

static void header(void)
{
    struct spool_header *h = (struct spool_header *)bufs_file;

    memset(bufs_file, 0, SPOOL_BLOCK);
    h->magic = SPOOL_HEADER_MAGIC;
    h->version = SPOOL_VERSION;
}

/* Sums of parts are what they must be, and the ledger accepts every step. */
static void play(size_t spool_size, size_t bufs_size)
{
    struct spool *s;
    struct ledger ledger;
    char why[200];

    if (spool_open_memory(spool_file, spool_size, bufs_file, bufs_size, &s, why,
                          sizeof why))
        return;
    if (ledger_init(&ledger))
        abort();
    if (spool_source(s)->play(spool_source(s), &ledger.sink)) {
        fprintf(stderr, "%s\n", ledger.why);
        abort();
    }
    const struct spool_counts *c = spool_counts(s);

    if (c->allocs != ledger.births ||
        c->left_blocks != ledger_blocks(&ledger) ||
        c->allocs - c->frees - c->implicit_frees != c->left_blocks)
        abort();
    ledger_free(&ledger);
    spool_close(s);
}

/* One record from two bytes; stamps are small, so that they collide. */
static size_t record(uint64_t words[], uint8_t what, uint8_t which,
                     uint64_t stamp)
{
    unsigned kind = what & 7;
    uint64_t address = 1 + (which & 15);
    size_t n = 1;

    words[0] = (uint64_t)kind << SPOOL_KIND_SHIFT |
               (uint64_t)(which >> 4) << SPOOL_SMALL_SHIFT | address;
    if (kind == SPOOL_RESIZE)
        words[n++] = 1 + (which >> 4);
    if (kind == SPOOL_WIDE)
        for (unsigned i = 0; i < (which >> 4); i++)
            words[n++] = 8 * address;
    if (what & 8) {
        words[0] |= SPOOL_STAMPED;
        words[n++] = stamp + (what >> 4);
        if (kind == SPOOL_RESIZE)
            words[n++] = stamp + (what >> 4) + 9;
    }
    return n;
}

static size_t chunk(void *at, size_t number, const uint8_t **data, size_t *size)
{
    struct spool_buffer *b = at;

    memset(b, 0, SPOOL_HEAD);
    b->magic = SPOOL_BUFFER_MAGIC;
    b->thread = (*data)[0] & 7;
    b->sequence = (*data)[0] >> 3 & 1 ? number : number / 2;
    b->begin_ns = (*data)[1];
    *data += 2;
    *size -= 2;
    for (int i = 0; i < CHUNK_RECORDS && *size >= 2; i++) {
        b->used += record(b->records + b->used, (*data)[0], (*data)[1],
                          number * 16 + (uint64_t)i);
        *data += 2;
        *size -= 2;
    }
    return SPOOL_HEAD + b->used * 8;
}

static void play_composed(const uint8_t *data, size_t size)
{
    size_t spool_size = 0, bufs_size = SPOOL_BLOCK;

    header();
    for (size_t i = 0; size >= 4 && i < 200; i++) {
        if (data[0] & 128 && bufs_size + SPOOL_BLOCK <= ROOM) {
            chunk(bufs_file + bufs_size, i, &data, &size);
            bufs_size += SPOOL_BLOCK;
        } else {
            spool_size += chunk(spool_file + spool_size, i, &data, &size);
        }
    }
    play(spool_size, bufs_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > ROOM - SPOOL_BLOCK)
        return 0;
    if (data[0] & RAW) {
        size_t half = (size - 2) * data[1] / 255;

        data += 2;
        size -= 2;
        header();
        memcpy(spool_file, data, half);
        memset(bufs_file + SPOOL_BLOCK, 0, SPOOL_BLOCK);
        memcpy(bufs_file + SPOOL_BLOCK, data + half, size - half);
        play(half, SPOOL_BLOCK + (size - half));
    } else {
        play_composed(data + 1, size - 1);
    }
    return 0;
}
