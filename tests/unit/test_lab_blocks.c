/* test_lab_blocks.c - live blocks in order, where a heap is lost, its map.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <string.h>

#include "lab_losses.h"
#include "lab_map.h"
#include "live_blocks.h"
#include "random.h"

enum { SPACE = 4096, MOST = 200, STEPS = 20000 };

static char space[SPACE];

/* ---- live blocks, against a byte map ---- */

struct model {
    uint8_t is_used[SPACE]; /* 1 + index in block, or 0 */
    struct live_block block[MOST];
    size_t n;
};

static void model_set(struct model *m, size_t i, uint8_t to)
{
    memset(&m->is_used[m->block[i].at - space], to, m->block[i].size);
}

static int model_overlaps(const struct model *m, size_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (m->is_used[from + i])
            return 1;
    return 0;
}

static void model_check_order(const struct model *m, struct live_blocks *live)
{
    struct live_block list[MOST];
    size_t bytes = 0;

    cr_assert_eq(live_count(live), m->n);
    live_list(live, list);
    for (size_t i = 0; i < m->n; i++) {
        cr_assert(i == 0 || list[i - 1].at + list[i - 1].size <= list[i].at);
        cr_assert(m->is_used[list[i].at - space]);
        bytes += list[i].size;
    }
    for (size_t i = 0; i < SPACE; i++)
        bytes -= m->is_used[i] != 0;
    cr_assert_eq(bytes, 0, "the blocks are not those of the model");
}

static void step(struct model *m, struct live_blocks *live, struct random *r)
{
    const size_t size = 1 + random_below(r, 40);
    const size_t from = random_below(r, SPACE - size);
    const struct live_block b = {
        .at = space + from, .size = size, .born = m->n};
    struct live_block out;

    if (m->n && (m->n == MOST || random_below(r, 3) == 0)) {
        const size_t i = random_below(r, (uint32_t)m->n);

        cr_assert_eq(live_take(live, m->block[i].at, &out), 0);
        cr_assert_eq(out.size, m->block[i].size);
        cr_assert_neq(live_take(live, m->block[i].at, &out), 0);
        model_set(m, i, 0);
        m->block[i] = m->block[--m->n];
        return;
    }
    const struct live_block *other = live_overlapped(live, b.at, size);

    cr_assert_eq(other != NULL, model_overlaps(m, from, size));
    if (other) {
        cr_assert(other->at < b.at + size && b.at < other->at + other->size);
        return;
    }
    cr_assert_eq(live_add(live, &b), 0);
    m->block[m->n] = b;
    model_set(m, m->n++, 1);
}

Test(lab_blocks, overlap_is_what_a_byte_map_says)
{
    static struct model m;
    struct live_blocks *live;
    struct random r;

    for (uint64_t seed = 1; seed <= 5; seed++) {
        memset(&m, 0, sizeof m);
        random_seed(&r, seed);
        cr_assert_eq(live_open(MOST, &live), 0);
        for (int i = 0; i < STEPS; i++) {
            step(&m, live, &r);
            if (i % 500 == 0)
                model_check_order(&m, live);
        }
        live_close(live);
    }
}

Test(lab_blocks, the_set_has_room_for_as_many_as_were_asked_for)
{
    struct live_blocks *live;
    struct live_block b = {.size = 1};

    cr_assert_eq(live_open(3, &live), 0);
    for (int i = 0; i < 3; i++) {
        b.at = space + i;
        cr_assert_eq(live_add(live, &b), 0);
    }
    b.at = space + 3;
    cr_assert_neq(live_add(live, &b), 0);
    live_close(live);
}

Test(lab_blocks, a_block_of_0_bytes_takes_a_place)
{
    struct live_blocks *live;
    const struct live_block b = {.at = space + 8, .size = 0};

    cr_assert_eq(live_open(3, &live), 0);
    cr_assert_eq(live_add(live, &b), 0);
    cr_assert_not_null(live_overlapped(live, space + 8, 0));
    cr_assert_not_null(live_overlapped(live, space + 4, 5));
    cr_assert_null(live_overlapped(live, space + 4, 4));
    cr_assert_null(live_overlapped(live, space + 9, 1));
    live_close(live);
}

/* ---- losses ---- */

static uint64_t sum(const struct lab_losses *l)
{
    return l->payload + l->fixed + l->headers + l->padding + l->holes +
           l->tail + l->later;
}

/* Blocks of `size` bytes with a header of 8, rounded up to 16. */
static size_t lay(struct live_block block[], size_t n, size_t size,
                  struct lab_gaps *gaps)
{
    const size_t whole = (size + 8 + 15) / 16 * 16;
    char *at = space + 24; /* 16 of the heap's own */

    for (size_t i = 0; i < n; i++, at += whole) {
        block[i] = (struct live_block){.at = at, .size = size};
        if (i)
            lab_gap_note(gaps, size, whole - size);
    }
    return (size_t)(at - 8 - space);
}

Test(lab_blocks, headers_and_padding_are_told_apart)
{
    static struct lab_gaps gaps;
    struct live_block block[20];
    struct lab_losses l;

    memset(&gaps, 0, sizeof gaps);
    lab_gap_note(&gaps, 24, 8); /* a size that needs no padding */
    size_t end = lay(block, 20, 20, &gaps);
    lab_losses_find(&gaps, block, 20, space, end + 100, end + 300, &l);
    cr_assert_eq(l.payload, 400);
    cr_assert_eq(l.fixed, 24);
    cr_assert_eq(l.headers, 160);
    cr_assert_eq(l.padding, 20 * 4);
    cr_assert_eq(l.holes, 0);
    cr_assert_eq(l.tail, 100 - 8);
    cr_assert_eq(l.later, 200);
    cr_assert_eq(sum(&l), end + 300);
}

Test(lab_blocks, what_is_free_between_blocks_is_a_hole)
{
    static struct lab_gaps gaps;
    struct live_block block[20], odd[10];
    struct lab_losses l;

    memset(&gaps, 0, sizeof gaps);
    size_t end = lay(block, 20, 24, &gaps);
    for (size_t i = 0; i < 10; i++)
        odd[i] = block[2 * i];
    lab_losses_find(&gaps, odd, 10, space, end, end, &l);
    cr_assert_eq(l.holes, 9 * 32);
    cr_assert_eq(l.tail, 32 - 8);
    cr_assert_eq(l.padding, 0);
    cr_assert_eq(sum(&l), end);
}

Test(lab_blocks, the_need_of_a_size_is_its_own_once_it_was_seen_often)
{
    static struct lab_gaps gaps;

    memset(&gaps, 0, sizeof gaps);
    cr_assert_eq(lab_gap_need(&gaps, 64), 0);
    lab_gap_note(&gaps, 48, 8); /* the same remainder */
    lab_gap_note(&gaps, 64, 64);
    cr_assert_eq(lab_gap_need(&gaps, 64), 8);
    for (int i = 1; i < LAB_SEEN; i++)
        lab_gap_note(&gaps, 64, 64);
    cr_assert_eq(lab_gap_need(&gaps, 64), 64);
    /* more sizes than the table has cells: no size is lost, or another's */
    for (size_t size = 100; size < 100 + 2 * LAB_SIZES; size++)
        lab_gap_note(&gaps, size, 1000);
    cr_assert_eq(lab_gap_need(&gaps, 64), 64);
    cr_assert_eq(lab_gap_need(&gaps, 48), 8);
}

Test(lab_blocks, an_empty_heap_is_all_tail)
{
    static struct lab_gaps gaps;
    struct lab_losses l;

    lab_losses_find(&gaps, NULL, 0, space, 100, 150, &l);
    cr_assert_eq(l.tail, 100);
    cr_assert_eq(sum(&l), 150);
}

/* ---- the map ---- */

Test(lab_blocks, the_map_keeps_all_bytes_when_it_becomes_coarser)
{
    static struct lab_map m;
    static char heap[1 << 20];
    char text[LAB_MAP_ROWS + 1];
    uint64_t before = 0, after = 0;
    const struct live_block block[] = {{.at = heap, .size = 1000},
                                       {.at = heap + 1500, .size = 2000}};

    lab_map_add(&m, 1, block, 2, heap, 4096);
    cr_assert_eq(m.row_bytes, LAB_MAP_FIRST);
    for (int r = 0; r < LAB_MAP_ROWS; r++)
        before += m.column[0].live[r];
    lab_map_add(&m, 2, block, 0, heap, sizeof heap);
    for (int r = 0; r < LAB_MAP_ROWS; r++)
        after += m.column[0].live[r];
    cr_assert_eq(before, 3000);
    cr_assert_eq(after, 3000);
    cr_assert_geq(m.row_bytes * LAB_MAP_ROWS, sizeof heap);
    lab_map_text(&m, 0, text);
    cr_assert_str_eq(text, "7"); /* one row, of which 3000 of 4096 are live */
    lab_map_text(&m, 1, text);
    cr_assert_eq(strspn(text, "0"), strlen(text));
    cr_assert_eq(strlen(text), sizeof heap / m.row_bytes);
}
