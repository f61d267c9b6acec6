/* os_pages.h - pages from the operating system, with byte accounting.
 *
 * The only place of the project that maps anonymous memory, so that a backend
 * can say to the byte what it holds, and so that the harness's own memory
 * never comes from the allocator that it measures.
 *
 * Sizes are rounded up to whole pages here; callers need not.  Bytes count as
 * mapped when they may be touched: address space that is only reserved does
 * not count, nor do decommitted pages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OS_PAGES_H
#define HEAPYARD_OS_PAGES_H

#include <stdatomic.h>
#include <stddef.h>

/* One heap's (or one harness table's) share of mapped memory.  Starts as
 * { 0 }.  May be shared by threads.  Where a function takes an account, NULL
 * means that nobody counts these pages. */
struct os_account {
    _Atomic size_t mapped; /* bytes that may be touched now; exact */
};

/* Bytes of a page; a power of two. */
size_t os_page_size(void);

/* `bytes` rounded up to whole pages, or 0 if that overflows. */
size_t os_pages_round(size_t bytes);

/* Map zeroed, readable and writable pages; none is in memory yet.
 *
 * bytes  more than 0
 *
 * Returns the first page, or NULL with the reason in errno (ENOMEM also for a
 * size beyond PTRDIFF_MAX).  Given back by os_pages_unmap. */
void *os_pages_map(struct os_account *account, size_t bytes);

/* Give back what os_pages_map gave; `bytes` as then.  p may be NULL.
 *
 * Returns 0, or ENOMEM if the kernel could not split its map of the address
 * space: then the pages are empty but still mapped, and still counted.
 * Leaves errno alone. */
int os_pages_unmap(struct os_account *account, void *p, size_t bytes);

/* Reserve address space that may not be touched and takes no memory.
 *
 * bytes  more than 0
 * align  of the first page: a power of two, or 0 for a page
 *
 * Returns its start, or NULL with the reason in errno (EINVAL for a bad
 * align).  Given back whole by os_pages_release. */
void *os_pages_reserve(size_t bytes, size_t align);

/* Give back a reservation.
 *
 * bytes      as when reserved
 * committed  how many bytes in it are committed now; they leave the account
 *
 * Returns 0, or ENOMEM as os_pages_unmap does.  Leaves errno alone. */
int os_pages_release(struct os_account *account, void *p, size_t bytes,
                     size_t committed);

/* Make pages readable and nothing else.  A reservation then reads as zero, and
 * takes no memory; committed pages keep their contents until they are
 * unprotected.  Returns 0 or a positive errno; leaves errno alone. */
int os_pages_freeze(void *p, size_t bytes);

/* Ask the kernel to back these pages by huge ones (MADV_HUGEPAGE).  A wish:
 * nothing tells whether it is granted. */
void os_pages_prefer_huge(void *p, size_t bytes);

/* Bring committed pages into memory at once, which costs a fraction of one
 * fault a page.  A wish: before Linux 5.14 nothing happens. */
void os_pages_populate(void *p, size_t bytes);

/* Make pages of a reservation usable; they read as zero.  p stands on a page,
 * and none of the pages is committed yet.
 *
 * Returns 0 or a positive errno; leaves errno alone. */
int os_pages_commit(struct os_account *account, void *p, size_t bytes);

/* The reverse: contents are lost, a touch is a fault again.  Returns 0 or a
 * positive errno, in which case the pages are still counted. */
int os_pages_decommit(struct os_account *account, void *p, size_t bytes);

/* Make committed pages untouchable, contents kept, and the reverse: a guard.
 * They stay counted.  Return 0 or a positive errno; leave errno alone. */
int os_pages_protect(void *p, size_t bytes);
int os_pages_unprotect(void *p, size_t bytes);

/* Give the memory of pages back but keep them usable: they read as zero, and
 * still count as mapped.  Returns 0 or a positive errno. */
int os_pages_discard(void *p, size_t bytes);

/* Move whole pages to another address by changing page tables: contents are
 * kept, nothing is copied, pages that come on top read as zero.
 *
 * from[old_bytes]  committed; reserved afterwards, none of it committed
 * to[new_bytes]    reserved, none of it committed; new_bytes >= old_bytes
 *
 * Returns 0, or a positive errno and then nothing has changed (EINVAL before
 * Linux 5.7, which cannot leave a reservation behind).
 * O(pages that are in memory), at most. */
int os_pages_move(struct os_account *account, void *from, size_t old_bytes,
                  void *to, size_t new_bytes);

/* Bring every page of [p, p + bytes) into memory by a write that keeps its
 * contents, so that no fault falls into a measured part.  No other thread may
 * write there meanwhile. */
void os_pages_touch(void *p, size_t bytes);

#endif
