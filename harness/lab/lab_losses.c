/* lab_losses.c - where the bytes of a heap go that nobody asked for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lab_losses.h"

/* The cell of a size, or a free one; NULL if the table is full. */
static const struct lab_gap *find_exact(const struct lab_gaps *g, size_t size)
{
    const size_t home = size * 2654435761u % LAB_SIZES;

    for (size_t i = 0; i < LAB_SIZES; i++) {
        const struct lab_gap *const cell = &g->exact[(home + i) % LAB_SIZES];

        if (!cell->seen || cell->size == size)
            return cell;
    }
    return NULL;
}

static void lower(struct lab_gap *cell, size_t size, uint64_t gap)
{
    if (!cell->seen || gap < cell->least)
        cell->least = gap;
    cell->size = size;
    cell->seen++;
}

void lab_gap_note(struct lab_gaps *g, size_t size, uint64_t gap)
{
    const struct lab_gap *const exact = find_exact(g, size);

    if (exact)
        lower(&g->exact[exact - g->exact], size, gap);
    lower(&g->residue[size % LAB_RESIDUES], size, gap);
}

uint64_t lab_gap_need(const struct lab_gaps *g, size_t size)
{
    const struct lab_gap *const exact = find_exact(g, size);

    if (exact && exact->seen >= LAB_SEEN)
        return exact->least;
    return g->residue[size % LAB_RESIDUES].seen
               ? g->residue[size % LAB_RESIDUES].least
               : 0;
}

/* The least that any block needs. */
static uint64_t header_bytes(const struct lab_gaps *g)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < LAB_RESIDUES; i++)
        if (g->residue[i].seen && g->residue[i].least < least)
            least = g->residue[i].least;
    return least == UINT64_MAX ? 0 : least;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void lab_losses_find(const struct lab_gaps *g, const struct live_block block[],
                     size_t n, const char *lo, size_t bytes, size_t end_bytes,
                     struct lab_losses *out)
{
    const uint64_t header = header_bytes(g);

    *out = (struct lab_losses){.later = end_bytes - bytes};
    if (!n) {
        out->tail = bytes;
        return;
    }
    out->fixed = (uint64_t)(block[0].at - lo);
    for (size_t i = 0; i < n; i++) {
        const char *const end = block[i].at + block[i].size;
        const char *const next = i + 1 < n ? block[i + 1].at : lo + bytes;
        const uint64_t gap = (uint64_t)(next - end);
        const uint64_t own = least_of(gap, lab_gap_need(g, block[i].size));

        out->payload += block[i].size;
        out->headers += least_of(own, header);
        out->padding += own - least_of(own, header);
        *(i + 1 < n ? &out->holes : &out->tail) += gap - own;
    }
}
