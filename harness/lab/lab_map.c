/* lab_map.c - a heap over time: for moments, how full each part of it is.
 *
 * Invariant: the heap of every column ends within its LAB_MAP_ROWS rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lab_map.h"

/* Two rows become one, in all columns. */
static void coarsen(struct lab_map *m)
{
    m->row_bytes *= 2;
    for (unsigned c = 0; c < m->columns; c++) {
        uint32_t *const live = m->column[c].live;

        for (unsigned r = 0; r < LAB_MAP_ROWS; r++)
            live[r] = 2 * r < LAB_MAP_ROWS ? live[2 * r] + live[2 * r + 1] : 0;
    }
}

static void add_block(struct lab_map_column *c, size_t row_bytes, size_t from,
                      size_t to)
{
    while (from < to) {
        const size_t row = from / row_bytes;
        const size_t row_end = (row + 1) * row_bytes;
        const size_t end = to < row_end ? to : row_end;

        if (row < LAB_MAP_ROWS)
            c->live[row] += (uint32_t)(end - from);
        from = end;
    }
}

uint64_t lab_map_step(uint64_t ops, uint64_t columns)
{
    return 1 + (ops - 1) / columns;
}

void lab_map_add(struct lab_map *m, uint64_t op,
                 const struct live_block block[], size_t n, const char *lo,
                 size_t bytes)
{
    if (!m->row_bytes)
        m->row_bytes = LAB_MAP_FIRST;
    while (bytes > m->row_bytes * LAB_MAP_ROWS)
        coarsen(m);
    struct lab_map_column *const c = &m->column[m->columns++];

    *c = (struct lab_map_column){.op = op, .heap_bytes = bytes};
    for (size_t i = 0; i < n; i++) {
        const size_t from = (size_t)(block[i].at - lo);

        add_block(c, m->row_bytes, from, from + block[i].size);
    }
}

void lab_map_text(const struct lab_map *m, unsigned column,
                  char text[LAB_MAP_ROWS + 1])
{
    const struct lab_map_column *const c = &m->column[column];
    unsigned r = 0;

    for (; r < LAB_MAP_ROWS && r * m->row_bytes < c->heap_bytes; r++) {
        const uint64_t left = c->heap_bytes - r * m->row_bytes;
        const uint64_t room = left < m->row_bytes ? left : m->row_bytes;
        const uint64_t tenths = c->live[r] * UINT64_C(10) / room;

        text[r] = (char)('0' + (tenths > 9 ? 9 : tenths));
        if (c->live[r] && text[r] == '0')
            text[r] = '1';
    }
    text[r] = 0;
}
