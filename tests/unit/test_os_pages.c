/* test_os_pages.c - pages are counted to the byte, and are what they say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "os_pages.h"

static size_t mapped(struct os_account *account)
{
    return atomic_load(&account->mapped);
}

Test(os_pages, sizes_are_rounded_to_pages_and_overflow_is_zero)
{
    const size_t page = os_page_size();
    cr_assert_eq(page & (page - 1), 0);
    cr_assert_eq(os_pages_round(1), page);
    cr_assert_eq(os_pages_round(page), page);
    cr_assert_eq(os_pages_round(page + 1), 2 * page);
    cr_assert_eq(os_pages_round(SIZE_MAX), 0);
}

Test(os_pages, mapped_pages_are_zero_and_counted)
{
    struct os_account account = {0};
    const size_t page = os_page_size();
    char *p = os_pages_map(&account, 3 * page + 1);
    cr_assert_not_null(p);
    cr_assert_eq(mapped(&account), 4 * page);
    for (size_t i = 0; i < 4 * page; i++)
        cr_assert_eq(p[i], 0);
    memset(p, 1, 4 * page);
    cr_assert_eq(os_pages_unmap(&account, p, 3 * page + 1), 0);
    cr_assert_eq(mapped(&account), 0);
}

Test(os_pages, impossible_sizes_fail_with_enomem)
{
    struct os_account account = {0};
    static const size_t sizes[] = {0, SIZE_MAX, (size_t)PTRDIFF_MAX + 1,
                                   SIZE_MAX - 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_null(os_pages_map(&account, sizes[i]));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(os_pages_reserve(sizes[i], 1 << 21));
        cr_assert_eq(errno, ENOMEM);
    }
    cr_assert_eq(mapped(&account), 0);
}

Test(os_pages, reservations_are_aligned_and_take_no_bytes_until_committed)
{
    struct os_account account = {0};
    const size_t page = os_page_size();
    for (size_t align = 1; align <= (size_t)1 << 26; align *= 2) {
        char *p = os_pages_reserve(5 * page, align);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p & (align - 1), 0);
        cr_assert_eq(os_pages_commit(&account, p + page, 2 * page), 0);
        cr_assert_eq(mapped(&account), 2 * page);
        memset(p + page, 1, 2 * page);
        cr_assert_eq(os_pages_release(&account, p, 5 * page, 2 * page), 0);
        cr_assert_eq(mapped(&account), 0);
    }
    errno = 0;
    cr_assert_null(os_pages_reserve(page, 3));
    cr_assert_eq(errno, EINVAL);
}

static size_t pages_mapped(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%zu", &pages), 1);
    fclose(f);
    return pages;
}

/* Half the alignment in size, so that every other one starts unaligned. */
Test(os_pages, alignment_leaves_no_address_space_behind)
{
    enum { TIMES = 20 };
    const size_t align = (size_t)1 << 26, page = os_page_size();
    const size_t before = pages_mapped();
    char *p[TIMES];
    for (size_t i = 0; i < TIMES; i++) {
        p[i] = os_pages_reserve(align / 2, align);
        cr_assert_not_null(p[i]);
    }
    cr_assert_leq(pages_mapped() - before, (TIMES + 2) * (align / 2 / page));
    for (size_t i = 0; i < TIMES; i++)
        cr_assert_eq(os_pages_release(NULL, p[i], align / 2, 0), 0);
}

Test(os_pages, decommitted_pages_come_back_zeroed)
{
    struct os_account account = {0};
    const size_t page = os_page_size();
    char *p = os_pages_reserve(2 * page, 0);
    cr_assert_not_null(p);
    cr_assert_eq(os_pages_commit(&account, p, 2 * page), 0);
    memset(p, 7, 2 * page);
    cr_assert_eq(os_pages_decommit(&account, p, page), 0);
    cr_assert_eq(mapped(&account), page);
    cr_assert_eq(p[page], 7);
    cr_assert_eq(os_pages_commit(&account, p, page), 0);
    cr_assert_eq(p[0], 0);
    cr_assert_eq(os_pages_release(&account, p, 2 * page, 2 * page), 0);
}

Test(os_pages, reserved_pages_may_not_be_touched, .signal = SIGSEGV)
{
    volatile char *p = os_pages_reserve(1, 0);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would report and exit instead */
    p[0] = 1;
}

Test(os_pages, discarded_pages_read_as_zero_and_stay_counted)
{
    struct os_account account = {0};
    const size_t page = os_page_size();
    char *p = os_pages_map(&account, 2 * page);
    cr_assert_not_null(p);
    memset(p, 7, 2 * page);
    cr_assert_eq(os_pages_discard(p, page), 0);
    cr_assert_eq(p[0], 0);
    cr_assert_eq(p[page], 7);
    cr_assert_eq(mapped(&account), 2 * page);
    cr_assert_eq(os_pages_unmap(&account, p, 2 * page), 0);
}

Test(os_pages, touching_keeps_contents)
{
    const size_t page = os_page_size();
    char *p = os_pages_map(NULL, 4 * page);
    cr_assert_not_null(p);
    p[0] = 1;
    p[2 * page] = 2;
    os_pages_touch(p + 1, 4 * page - 1);
    cr_assert_eq(p[0], 1);
    cr_assert_eq(p[2 * page], 2);
    cr_assert_eq(os_pages_unmap(NULL, p, 4 * page), 0);
}

Test(os_pages, pages_move_with_their_contents_and_grow_by_zeros)
{
    struct os_account account = {0};
    const size_t page = os_page_size();
    char *from = os_pages_map(&account, 2 * page);
    memset(from, 7, 2 * page);
    char *to = os_pages_reserve(4 * page, 0);
    cr_assert_eq(os_pages_move(&account, from, 2 * page, to, 4 * page), 0);
    cr_assert_eq(atomic_load(&account.mapped), 4 * page);
    cr_assert_eq(to[0], 7);
    cr_assert_eq(to[2 * page - 1], 7);
    cr_assert_eq(to[2 * page], 0);
    cr_assert_eq(to[4 * page - 1], 0);
    cr_assert_eq(os_pages_commit(&account, from, page), 0);
    cr_assert_eq(from[0], 0, "what is left is a reservation");
    cr_assert_eq(os_pages_release(&account, from, 2 * page, page), 0);
    cr_assert_eq(os_pages_release(&account, to, 4 * page, 4 * page), 0);
    cr_assert_eq(atomic_load(&account.mapped), 0);
}

Test(os_pages, a_reservation_that_is_shown_reads_as_zero)
{
    const size_t page = os_page_size();
    char *p = os_pages_reserve(1024 * page, 0);
    cr_assert_eq(os_pages_freeze(p, 1024 * page), 0);
    cr_assert_eq(p[0], 0);
    cr_assert_eq(p[1024 * page - 1], 0);
    cr_assert_eq(os_pages_release(NULL, p, 1024 * page, 0), 0);
}
