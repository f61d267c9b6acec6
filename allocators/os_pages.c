/* os_pages.c - pages from the operating system, with byte accounting.
 *
 * Thin wrappers over mmap, munmap, mremap, mprotect and madvise.  An account
 * changes only when the kernel has done its part.
 *
 * Invariant: account->mapped = bytes of os_pages_map and os_pages_commit that
 *            os_pages_unmap, os_pages_decommit and os_pages_release have not
 *            taken back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, madvise, mremap */
#include "os_pages.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t os_pages_round(size_t bytes)
{
    const size_t mask = os_page_size() - 1;
    return bytes > SIZE_MAX - mask ? 0 : (bytes + mask) & ~mask;
}

static void account_add(struct os_account *account, size_t bytes)
{
    if (!account)
        return;
    atomic_fetch_add_explicit(&account->mapped, bytes, memory_order_relaxed);
}

static void account_take(struct os_account *account, size_t bytes)
{
    if (!account)
        return;
    const size_t before = atomic_fetch_sub_explicit(&account->mapped, bytes,
                                                    memory_order_relaxed);
    assert(before >= bytes);
    (void)before;
}

/* Anonymous pages.  NULL, and errno says why. */
static void *map_pages(size_t bytes, int protection, int flags)
{
    if (bytes == 0 || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* munmap fails only where the kernel would have to split one of its areas and
 * has too many of them; the memory is given back all the same. */
static int unmap_pages(void *p, size_t bytes)
{
    const int saved = errno;
    int err = 0;
    if (munmap(p, bytes) != 0) {
        err = errno;
        (void)madvise(p, bytes, MADV_DONTNEED);
    }
    errno = saved;
    return err;
}

void *os_pages_map(struct os_account *account, size_t bytes)
{
    const size_t whole = os_pages_round(bytes);
    void *p = map_pages(whole, PROT_READ | PROT_WRITE, 0);
    if (p)
        account_add(account, whole);
    return p;
}

int os_pages_unmap(struct os_account *account, void *p, size_t bytes)
{
    if (!p)
        return 0;
    const size_t whole = os_pages_round(bytes);
    const int err = unmap_pages(p, whole);
    if (!err)
        account_take(account, whole);
    return err;
}

/* Asks for `align` bytes too many and cuts both ends off. */
void *os_pages_reserve(size_t bytes, size_t align)
{
    const size_t page = os_page_size();
    const size_t whole = os_pages_round(bytes);
    if (align & (align - 1)) {
        errno = EINVAL;
        return NULL;
    }
    if (align <= page)
        return map_pages(whole, PROT_NONE, MAP_NORESERVE);
    if (whole == 0 || whole > PTRDIFF_MAX - align) {
        errno = ENOMEM;
        return NULL;
    }
    char *start = map_pages(whole + align, PROT_NONE, MAP_NORESERVE);
    if (!start)
        return NULL;
    const size_t head = (size_t)(-(uintptr_t)start & (align - 1));
    const size_t tail = align - head;
    if (head > 0)
        (void)unmap_pages(start, head);
    if (tail > 0)
        (void)unmap_pages(start + head + whole, tail);
    return start + head;
}

int os_pages_release(struct os_account *account, void *p, size_t bytes,
                     size_t committed)
{
    if (!p)
        return 0;
    const int err = unmap_pages(p, os_pages_round(bytes));
    if (!err)
        account_take(account, os_pages_round(committed));
    return err;
}

int os_pages_commit(struct os_account *account, void *p, size_t bytes)
{
    const size_t whole = os_pages_round(bytes);
    const int saved = errno;
    int err = 0;
    if (mprotect(p, whole, PROT_READ | PROT_WRITE) == 0)
        account_add(account, whole);
    else
        err = errno;
    errno = saved;
    return err;
}

int os_pages_decommit(struct os_account *account, void *p, size_t bytes)
{
    const size_t whole = os_pages_round(bytes);
    const int saved = errno;
    int err = 0;
    if (madvise(p, whole, MADV_DONTNEED) == 0 &&
        mprotect(p, whole, PROT_NONE) == 0)
        account_take(account, whole);
    else
        err = errno;
    errno = saved;
    return err;
}

int os_pages_discard(void *p, size_t bytes)
{
    const int saved = errno;
    const int err =
        madvise(p, os_pages_round(bytes), MADV_DONTNEED) == 0 ? 0 : errno;
    errno = saved;
    return err;
}

/* What is moved must be the same at both ends, so what comes on top is
 * committed before. */
int os_pages_move(struct os_account *account, void *from, size_t old_bytes,
                  void *to, size_t new_bytes)
{
    const size_t old_whole = os_pages_round(old_bytes);
    const size_t new_whole = os_pages_round(new_bytes);
    char *const top = (char *)to + old_whole;
    const int saved = errno;
    int err = 0;

    if (new_whole > old_whole)
        err = os_pages_commit(account, top, new_whole - old_whole);
    if (err)
        return err;
    if (mremap(from, old_whole, old_whole,
               MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
               to) == MAP_FAILED) {
        err = errno;
        if (new_whole > old_whole)
            (void)os_pages_decommit(account, top, new_whole - old_whole);
    } else {
        (void)mprotect(from, old_whole, PROT_NONE);
    }
    errno = saved;
    return err;
}

static int set_protection(void *p, size_t bytes, int protection)
{
    const int saved = errno;
    const int err = mprotect(p, os_pages_round(bytes), protection) ? errno : 0;

    errno = saved;
    return err;
}

int os_pages_freeze(void *p, size_t bytes)
{
    return set_protection(p, bytes, PROT_READ);
}

int os_pages_protect(void *p, size_t bytes)
{
    return set_protection(p, bytes, PROT_NONE);
}

int os_pages_unprotect(void *p, size_t bytes)
{
    return set_protection(p, bytes, PROT_READ | PROT_WRITE);
}

void os_pages_populate(void *p, size_t bytes)
{
    const int saved = errno;

    (void)madvise(p, os_pages_round(bytes), MADV_POPULATE_WRITE);
    errno = saved;
}

void os_pages_prefer_huge(void *p, size_t bytes)
{
    const int saved = errno;

    (void)madvise(p, os_pages_round(bytes), MADV_HUGEPAGE);
    errno = saved;
}

void os_pages_touch(void *p, size_t bytes)
{
    const size_t page = os_page_size();
    volatile char *const byte = p;
    for (size_t at = 0; at < bytes; at += page)
        byte[at] = byte[at];
    if (bytes > 0)
        byte[bytes - 1] = byte[bytes - 1]; /* p may stand inside a page */
}
