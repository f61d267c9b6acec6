/* memlib.h - the memory that a solution of the malloc lab lives in.
 *
 * One contiguous heap that only grows, as the lab's own memlib gives it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MEMLIB_H
#define HEAPYARD_MEMLIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

void mem_init(void);
void mem_deinit(void);
/* The heap is empty again; what it holds is not cleared. */
void mem_reset_brk(void);
/* More bytes; returns where they begin, or (void *)-1 with ENOMEM if `more`
 * is negative or the heap would become too large. */
void *mem_sbrk(intptr_t more);
void *mem_heap_lo(void); /* its first byte */
void *mem_heap_hi(void); /* its last byte */
size_t mem_heapsize(void);
size_t mem_pagesize(void);

/* Of handouts from 2016 on: `length` is 1..8 bytes, little-endian. */
uint64_t mem_read(const void *address, size_t length);
void mem_write(void *address, uint64_t value, size_t length);
void *mem_memcpy(void *to, const void *from, size_t n);
void *mem_memset(void *at, int byte, size_t n);

/* For Heapyard, instead of mem_init: a heap of at most so many bytes; is_low:
 * below 4 GiB, so that addresses fit into 32 bits.  Returns 0 or an errno. */
int mem_open(size_t most_bytes, bool is_low);

#endif
