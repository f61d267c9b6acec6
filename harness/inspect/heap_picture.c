/* heap_picture.c - a heap at one moment, made out of the facts of it.
 *
 * Facts are sorted by kind and address; then each question is one pass.  A
 * live block is looked up among the blocks of the walk by its address: that
 * tells its class exactly.  Without a walk its class is its usable size.
 *
 * Invariant: the live bytes of all pages, and of all classes, add up to
 *            live_bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heap_picture.h"

#include <errno.h>
#include <stdlib.h>

#include "heap_walk.h"

enum {
    GAP_PAGES = 16,  /* more than these between two pages are a gap */
    CROWD_PAGES = 16 /* fewer without a live block are stacks of threads and
                        the like, and are left out */
};

/* The facts, by kind; within a kind by address. */
struct sorted {
    struct heap_fact *fact;
    size_t from[FACT_KINDS + 1];
};

static const struct heap_fact *first(const struct sorted *s, enum fact_kind k)
{
    return s->fact + s->from[k];
}

static size_t count(const struct sorted *s, enum fact_kind k)
{
    return s->from[k + 1] - s->from[k];
}

static int by_kind_and_address(const void *a, const void *b)
{
    const struct heap_fact *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static int sort_facts(const struct heap_fact fact[], size_t n, struct sorted *s)
{
    size_t each[FACT_KINDS] = {0};

    s->fact = malloc((n + 1) * sizeof *s->fact);
    if (!s->fact)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (fact[i].kind >= FACT_KINDS)
            return EBADMSG;
        each[fact[i].kind]++;
        s->fact[i] = fact[i];
    }
    for (unsigned k = 0; k < FACT_KINDS; k++)
        s->from[k + 1] = s->from[k] + each[k];
    qsort(s->fact, n, sizeof *s->fact, by_kind_and_address);
    return 0;
}

static unsigned log2_of(uint64_t x)
{
    return x ? 63 - (unsigned)__builtin_clzll(x) : 0;
}

unsigned picture_doubling(uint64_t block_bytes)
{
    const unsigned k = block_bytes <= 16 ? 0 : log2_of(block_bytes - 1) - 3;

    return k < PICTURE_DOUBLINGS ? k : PICTURE_DOUBLINGS - 1;
}

static void tally_add(struct tally *t, uint64_t bytes)
{
    t->count++;
    t->bytes += bytes;
}

/* ---- classes ---- */

static int by_size(const void *a, const void *b)
{
    const struct picture_class *x = a, *y = b;

    return (x->block_bytes > y->block_bytes) -
           (x->block_bytes < y->block_bytes);
}

static void class_add(struct picture_class *to, const struct picture_class *c)
{
    to->live += c->live;
    to->live_bytes += c->live_bytes;
    to->free += c->free;
    to->cached += c->cached;
    to->spans += c->spans;
    to->span_bytes += c->span_bytes;
}

/* Sort, and make one of those that are of one size. */
static void merge_classes(struct heap_picture *p)
{
    size_t n = 0;

    qsort(p->classes, p->nclasses, sizeof *p->classes, by_size);
    for (size_t i = 0; i < p->nclasses; i++)
        if (n && p->classes[n - 1].block_bytes == p->classes[i].block_bytes)
            class_add(&p->classes[n - 1], &p->classes[i]);
        else
            p->classes[n++] = p->classes[i];
    p->nclasses = n;
}

static void note_span(struct heap_picture *p, const struct heap_fact *span)
{
    tally_add(&p->span[span->detail], span->bytes);
    if (span->detail == SPAN_BLOCKS && span->more)
        p->classes[p->nclasses++] = (struct picture_class){
            .block_bytes = span->more, .spans = 1, .span_bytes = span->bytes};
}

/* A block that holds none of the trace's. */
static void note_idle(struct heap_picture *p, const struct heap_fact *block)
{
    const bool is_free = block->detail == BLOCK_FREE;

    p->classes[p->nclasses++] = (struct picture_class){
        .block_bytes = block->bytes, .free = is_free, .cached = !is_free};
    tally_add(&p->free_size[log2_of(block->bytes)], block->bytes);
}

static void note_live(struct heap_picture *p, const struct heap_fact *live,
                      uint64_t block_bytes)
{
    p->classes[p->nclasses++] = (struct picture_class){
        .block_bytes = block_bytes, .live = 1, .live_bytes = live->bytes};
}

/* Both lists are sorted by address.  A block of the trace may begin within
 * one of the walk (alignment), and one of the walk may be many of the trace's
 * (an arena's chunk): then sizes are the usable ones. */
static void join_blocks(struct heap_picture *p, const struct sorted *s)
{
    const struct heap_fact *block = first(s, FACT_BLOCK);
    const struct heap_fact *const block_end = block + count(s, FACT_BLOCK);
    const struct heap_fact *live = first(s, FACT_LIVE);
    const struct heap_fact *const live_end = live + count(s, FACT_LIVE);

    for (; block < block_end; block++) {
        tally_add(&p->block[block->detail], block->bytes);
        if (block->detail != BLOCK_LIVE) {
            note_idle(p, block);
            continue;
        }
        for (; live < live_end && live->start < block->start; live++) {
            note_live(p, live, live->more);
            p->missing++;
        }
        const struct heap_fact *const from = live;
        while (live < live_end && live->start < block->start + block->bytes)
            live++;
        p->strangers += live == from;
        for (const struct heap_fact *l = from; l < live; l++)
            note_live(p, l, live - from == 1 ? block->bytes : l->more);
    }
    p->missing += (uint64_t)(live_end - live);
    for (; live < live_end; live++)
        note_live(p, live, live->more);
}

/* What a library says of its classes itself.  Blocks in use beyond those that
 * the trace has live are in the caches of threads. */
static void add_own_account(struct heap_picture *p, const struct sorted *s)
{
    const struct heap_fact *fact = first(s, FACT_CLASS);
    const size_t known = p->nclasses;

    for (size_t i = 0; i < count(s, FACT_CLASS); i++) {
        const struct picture_class key = {.block_bytes = fact[i].bytes};
        const struct picture_class *old =
            bsearch(&key, p->classes, known, sizeof key, by_size);
        const uint64_t live = old ? old->live : 0;
        struct picture_class c = {.block_bytes = fact[i].bytes,
                                  .spans = fact[i].detail};

        c.free = fact[i].more;
        p->knows_free = true;
        if (fact[i].start != UINT64_MAX) {
            p->knows_cached = true;
            c.cached = fact[i].start > live ? fact[i].start - live : 0;
        }
        const unsigned size = log2_of(c.block_bytes);
        p->free_size[size].count += c.free + c.cached;
        p->free_size[size].bytes += (c.free + c.cached) * c.block_bytes;
        p->classes[p->nclasses++] = c;
    }
    merge_classes(p);
}

static int make_classes(struct heap_picture *p, const struct sorted *s)
{
    const struct heap_fact *span = first(s, FACT_SPAN);
    const size_t most = count(s, FACT_SPAN) + count(s, FACT_BLOCK) +
                        count(s, FACT_LIVE) + count(s, FACT_CLASS);

    p->classes = malloc((most + 1) * sizeof *p->classes);
    if (!p->classes)
        return ENOMEM;
    for (size_t i = 0; i < count(s, FACT_SPAN); i++)
        note_span(p, &span[i]);
    join_blocks(p, s);
    merge_classes(p);
    add_own_account(p, s);
    return 0;
}

/* ---- pages ---- */

struct page_range {
    uint64_t from, to; /* addresses of whole pages; from < to */
    bool is_live;
};

static int by_from(const void *a, const void *b)
{
    const struct page_range *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

/* Pages that live blocks touch, or that are in memory. */
static struct page_range *collect_ranges(const struct heap_picture *p,
                                         const struct sorted *s, size_t *n)
{
    static const enum fact_kind kinds[] = {FACT_LIVE, FACT_RESIDENT};
    const uint64_t mask = p->page_bytes - 1;
    struct page_range *range = malloc(
        (count(s, FACT_LIVE) + count(s, FACT_RESIDENT) + 1) * sizeof *range);

    *n = 0;
    for (unsigned k = 0; range && k < 2; k++)
        for (size_t i = 0; i < count(s, kinds[k]); i++) {
            const struct heap_fact *f = &first(s, kinds[k])[i];
            const uint64_t end = f->start + (f->bytes ? f->bytes : 1);

            range[(*n)++] = (struct page_range){
                f->start & ~mask, (end + mask) & ~mask, kinds[k] == FACT_LIVE};
        }
    if (range)
        qsort(range, *n, sizeof *range, by_from);
    return range;
}

/* Join what overlaps or has no gap between; leave out small parts without a
 * live block.  Returns how many are left. */
static size_t join_ranges(struct page_range range[], size_t n,
                          uint64_t page_bytes)
{
    size_t joined = 0, kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct page_range *last = joined ? &range[joined - 1] : NULL;

        if (!last || range[i].from > last->to + GAP_PAGES * page_bytes) {
            range[joined++] = range[i];
            continue;
        }
        if (range[i].to > last->to)
            last->to = range[i].to;
        last->is_live |= range[i].is_live;
    }
    for (size_t i = 0; i < joined; i++)
        if (range[i].is_live ||
            range[i].to - range[i].from >= CROWD_PAGES * page_bytes)
            range[kept++] = range[i];
    return kept;
}

static int lay_pages(struct heap_picture *p, const struct page_range range[],
                     size_t n)
{
    size_t pages = 0;

    for (size_t i = 0; i < n; i++)
        pages += (range[i].to - range[i].from) / p->page_bytes;
    p->page = calloc(pages + 1, sizeof *p->page);
    if (!p->page)
        return ENOMEM;
    for (size_t i = 0; i < n; i++)
        for (uint64_t at = range[i].from; at < range[i].to; at += p->page_bytes)
            p->page[p->npages++].address = at;
    return 0;
}

/* The first page that ends behind the address. */
static size_t find_page(const struct heap_picture *p, uint64_t address)
{
    size_t from = 0, to = p->npages;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (p->page[middle].address + p->page_bytes <= address)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Bytes that [start, end) has on the page. */
static uint64_t share(const struct heap_picture *p, size_t i, uint64_t start,
                      uint64_t end)
{
    const uint64_t page = p->page[i].address;
    const uint64_t from = start > page ? start : page;
    const uint64_t to = end < page + p->page_bytes ? end : page + p->page_bytes;

    return to > from ? to - from : 0;
}

/* most[i]: bytes on page i by doubling. */
static void spread_block(struct heap_picture *p, const struct heap_fact *f,
                         uint32_t (*most)[PICTURE_DOUBLINGS])
{
    const uint64_t end = f->start + f->bytes;
    const unsigned doubling = picture_doubling(f->more);

    for (size_t i = find_page(p, f->start); i < p->npages; i++) {
        if (p->page[i].address >= (f->bytes ? end : f->start + 1))
            break;
        const uint32_t bytes = (uint32_t)share(p, i, f->start, end);

        p->page[i].live_bytes += bytes;
        p->page[i].blocks++;
        most[i][doubling] += bytes;
    }
}

static void mark_span(struct heap_picture *p, const struct heap_fact *f)
{
    for (size_t i = find_page(p, f->start);
         i < p->npages && p->page[i].address < f->start + f->bytes; i++)
        p->page[i].span = (uint8_t)(1 + f->detail);
}

static void mark_resident(struct heap_picture *p, const struct heap_fact *f)
{
    p->resident_bytes += f->bytes;
    for (size_t i = find_page(p, f->start);
         i < p->npages && p->page[i].address < f->start + f->bytes; i++)
        p->page[i].is_resident = 1;
}

static void conclude_page(struct picture_page *page,
                          const uint32_t most[PICTURE_DOUBLINGS])
{
    for (unsigned k = 1; k < PICTURE_DOUBLINGS; k++)
        if (most[k] > most[page->doubling])
            page->doubling = (uint8_t)k;
    page->kind = page->blocks                      ? PAGE_LIVE
                 : !page->is_resident              ? PAGE_ABSENT
                 : page->span == 1 + SPAN_METADATA ? PAGE_METADATA
                                                   : PAGE_FREE;
}

static int describe_pages(struct heap_picture *p, const struct sorted *s)
{
    uint32_t(*most)[PICTURE_DOUBLINGS] = calloc(p->npages + 1, sizeof *most);

    if (!most)
        return ENOMEM;
    for (size_t i = 0; i < count(s, FACT_SPAN); i++)
        mark_span(p, &first(s, FACT_SPAN)[i]);
    for (size_t i = 0; i < count(s, FACT_RESIDENT); i++)
        mark_resident(p, &first(s, FACT_RESIDENT)[i]);
    for (size_t i = 0; i < count(s, FACT_LIVE); i++)
        spread_block(p, &first(s, FACT_LIVE)[i], most);
    for (size_t i = 0; i < p->npages; i++)
        conclude_page(&p->page[i], most[i]);
    free(most);
    return 0;
}

static void tally_pages(struct heap_picture *p)
{
    for (size_t i = 0; i < p->npages; i++) {
        const struct picture_page *page = &p->page[i];
        const uint64_t tenths =
            (page->live_bytes * 10 + p->page_bytes - 1) / p->page_bytes;
        const unsigned decile = (unsigned)tenths;
        const unsigned crowd =
            page->blocks < 2 ? page->blocks : log2_of(page->blocks - 1) + 2;

        if (page->kind == PAGE_ABSENT)
            continue;
        tally_add(&p->decile[decile], p->page_bytes);
        if (decile)
            p->decile_bytes[decile][page->doubling] += p->page_bytes;
        else if (page->kind == PAGE_METADATA)
            p->metadata_bytes += p->page_bytes;
        tally_add(
            &p->crowd[crowd < PICTURE_CROWDS ? crowd : PICTURE_CROWDS - 1],
            p->page_bytes);
    }
}

static int make_pages(struct heap_picture *p, const struct sorted *s)
{
    size_t n;
    struct page_range *range = collect_ranges(p, s, &n);

    if (!range)
        return ENOMEM;
    n = join_ranges(range, n, p->page_bytes);
    int err = lay_pages(p, range, n);
    free(range);
    if (!err)
        err = describe_pages(p, s);
    if (!err)
        tally_pages(p);
    return err;
}

/* ---- all ---- */

static bool is_bad(const struct heap_fact *f)
{
    static const uint32_t details[FACT_KINDS] = {
        [FACT_SPAN] = SPAN_METADATA + 1,
        [FACT_BLOCK] = BLOCK_CACHED + 1,
        [FACT_TOTAL] = TOTAL_KINDS,
    };

    return (details[f->kind] && f->detail >= details[f->kind]) ||
           (f->kind != FACT_CLASS && f->start > UINT64_MAX / 2) ||
           f->bytes > UINT64_MAX / 4;
}

static int note_totals(struct heap_picture *p, const struct sorted *s)
{
    const struct heap_fact *f = s->fact;

    for (; f < s->fact + s->from[FACT_KINDS]; f++) {
        if (is_bad(f))
            return EBADMSG;
        if (f->kind == FACT_TOTAL) {
            p->total[f->detail] = f->bytes;
            p->has_total[f->detail] = true;
        } else if (f->kind == FACT_LIVE) {
            p->live_blocks++;
            p->live_bytes += f->bytes;
            p->usable_bytes += f->more;
        }
    }
    p->has_walk = p->has_total[TOTAL_WALK] && !p->total[TOTAL_WALK];
    p->knows_free = p->knows_cached = p->has_walk;
    return 0;
}

int picture_open(const struct heap_fact fact[], size_t n, uint64_t page_bytes,
                 struct heap_picture *out)
{
    struct sorted sorted = {0};

    *out = (struct heap_picture){.page_bytes = page_bytes};
    int err = sort_facts(fact, n, &sorted);
    if (!err)
        err = note_totals(out, &sorted);
    if (!err)
        err = make_classes(out, &sorted);
    if (!err)
        err = make_pages(out, &sorted);
    out->has_metadata = out->span[SPAN_METADATA].count > 0;
    free(sorted.fact);
    return err;
}

void picture_close(struct heap_picture *p)
{
    free(p->classes);
    free(p->page);
}
