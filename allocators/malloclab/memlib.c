/* memlib.c - the memory that a solution of the malloc lab lives in.
 *
 * It is compiled together with the solution into one shared object, so that
 * each has its own, and is no part of the program.  The heap is reserved as a
 * whole and comes into memory as it is written.
 *
 * Invariant: heap.lo <= heap.brk <= heap.end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#include "memlib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config.h"
#include "mm.h"

/* What a solution must define: so the linker names what it lacks. */
extern const struct solution_needs {
    int (*init)(void);
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*realloc)(void *, size_t);
} solution_needs;
const struct solution_needs solution_needs = {mm_init, mm_malloc, mm_free,
                                              mm_realloc};

/* The lab's interface has no handle to hand over: the one heap there is. */
static struct {
    char *lo, *brk, *end;
} heap;

/* A hint only: what is there already stays where it is. */
#define LOW_ADDRESS ((void *)0x10000000)
#define LOW_END     UINT64_C(0x100000000)

int mem_open(size_t most_bytes, bool is_low)
{
    char *const p =
        mmap(is_low ? LOW_ADDRESS : NULL, most_bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return errno;
    heap.lo = heap.brk = p;
    heap.end = p + most_bytes;
    if (!is_low || (uint64_t)(uintptr_t)heap.end <= LOW_END)
        return 0;
    mem_deinit();
    return ENOMEM;
}

void mem_init(void)
{
    if (!heap.lo && mem_open(MAX_HEAP, false))
        abort();
}

void mem_deinit(void)
{
    if (heap.lo)
        munmap(heap.lo, (size_t)(heap.end - heap.lo));
    heap.lo = heap.brk = heap.end = NULL;
}

void mem_reset_brk(void)
{
    heap.brk = heap.lo;
}

void *mem_sbrk(intptr_t more)
{
    char *const old = heap.brk;

    if (more < 0 || more > heap.end - heap.brk) {
        errno = ENOMEM;
        return (void *)-1;
    }
    heap.brk += more;
    return old;
}

void *mem_heap_lo(void)
{
    return heap.lo;
}

void *mem_heap_hi(void)
{
    return heap.brk - 1;
}

size_t mem_heapsize(void)
{
    return (size_t)(heap.brk - heap.lo);
}

size_t mem_pagesize(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t mem_read(const void *address, size_t length)
{
    uint64_t value = 0;

    memcpy(&value, address, length < sizeof value ? length : sizeof value);
    return value;
}

void mem_write(void *address, uint64_t value, size_t length)
{
    memcpy(address, &value, length < sizeof value ? length : sizeof value);
}

void *mem_memcpy(void *to, const void *from, size_t n)
{
    return memcpy(to, from, n);
}

void *mem_memset(void *at, int byte, size_t n)
{
    return memset(at, byte, n);
}
