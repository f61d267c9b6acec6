/* implicit.c - a malloc lab solution that is right: first fit, implicit list.
 *
 * A block is a header of 8 bytes (its size, a multiple of 16, and bit 0: in
 * use), then the payload; a free one ends with a copy of its size, so that
 * the block behind it finds its start, and bit 1 of a header says whether the
 * block before is in use.  Both neighbours of a freed block join it at once.
 *
 * Invariant: no two free blocks lie side by side; the last header has size 0.
 *
 * Source: the technique is D. E. Knuth's boundary tags (The Art of Computer
 * Programming, volume 1, section 2.5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mm.h"

#include <string.h>

#include "memlib.h"

enum { HEADER = 8, UNIT = 16, LEAST = 32, CHUNK = 4096 };
enum { USED = 1, BEFORE_USED = 2, FLAGS = 15 };

team_t team = {"ours", "", "", "", ""}; /* as the book asks for */

static char *first; /* header of the first block */

static size_t *header(char *block)
{
    return (size_t *)block;
}

static size_t size_of(char *block)
{
    return *header(block) & ~(size_t)FLAGS;
}

static bool is_used(char *block)
{
    return *header(block) & USED;
}

static char *behind(char *block)
{
    return block + size_of(block);
}

static void set(char *block, size_t size, size_t used)
{
    char *next = block + size;

    *header(block) = size | used | (*header(block) & BEFORE_USED);
    if (used) {
        *header(next) |= BEFORE_USED;
    } else {
        *header(next) &= ~(size_t)BEFORE_USED;
        *header(next - HEADER) = size;
    }
}

static char *join(char *block)
{
    size_t size = size_of(block);

    if (!is_used(behind(block)))
        size += size_of(behind(block));
    if (!(*header(block) & BEFORE_USED)) {
        size_t before = *header(block - HEADER);

        block -= before;
        size += before;
    }
    set(block, size, 0);
    return block;
}

/* The end marker becomes the header of a free block. */
static char *extend(size_t bytes)
{
    bytes = (bytes + UNIT - 1) & ~(size_t)(UNIT - 1);
    char *p = mem_sbrk((intptr_t)bytes);

    if (p == (void *)-1)
        return NULL;
    char *block = p - HEADER;

    *header(block + bytes) = USED;
    *header(block) = bytes | (*header(block) & BEFORE_USED);
    return join(block);
}

int mm_init(void)
{
    char *p = mem_sbrk(UNIT);

    if (p == (void *)-1)
        return -1;
    first = p + HEADER;
    *header(first) = USED | BEFORE_USED;
    return extend(CHUNK) ? 0 : -1;
}

static char *find(size_t size)
{
    for (char *b = first; size_of(b); b = behind(b))
        if (!is_used(b) && size_of(b) >= size)
            return b;
    return NULL;
}

static void place(char *block, size_t size)
{
    size_t rest = size_of(block) - size;

    if (rest < LEAST) {
        set(block, size + rest, USED);
        return;
    }
    set(block, size, USED);
    *header(block + size) = rest | BEFORE_USED;
    set(block + size, rest, 0);
}

void *mm_malloc(size_t size)
{
    size_t whole = (size + HEADER + UNIT - 1) & ~(size_t)(UNIT - 1);

    if (!size)
        return NULL;
    if (whole < LEAST)
        whole = LEAST;
    char *block = find(whole);

    if (!block)
        block = extend(whole > CHUNK ? whole : CHUNK);
    if (!block)
        return NULL;
    place(block, whole);
    return block + HEADER;
}

void mm_free(void *p)
{
    if (!p)
        return;
    char *block = (char *)p - HEADER;

    set(block, size_of(block), 0);
    join(block);
}

void *mm_realloc(void *p, size_t size)
{
    if (!p)
        return mm_malloc(size);
    if (!size) {
        mm_free(p);
        return NULL;
    }
    size_t old = size_of((char *)p - HEADER) - HEADER;

    if (old >= size)
        return p;
    void *q = mm_malloc(size);

    if (q) {
        memcpy(q, p, old);
        mm_free(p);
    }
    return q;
}
