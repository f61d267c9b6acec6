/* test_heap_picture.c - the conclusions from the facts of a heap; pages in
 * memory; a replay that stands still; a trace cut at a mark.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "heap_picture.h"
#include "heap_walk.h"
#include "ops_random.h"
#include "os_pages.h"
#include "prepare.h"
#include "random.h"
#include "resident.h"
#include "scratch.h"

enum { PAGE = 4096 };

static struct heap_picture made(const struct heap_fact fact[], size_t n)
{
    struct heap_picture p;

    cr_assert_eq(picture_open(fact, n, PAGE, &p), 0);
    return p;
}

static const struct picture_class *class_of(const struct heap_picture *p,
                                            uint64_t bytes)
{
    for (size_t i = 0; i < p->nclasses; i++)
        if (p->classes[i].block_bytes == bytes)
            return &p->classes[i];
    cr_assert(0, "no class of %d bytes", (int)bytes);
    return NULL;
}

/* A span of records, one of three blocks of 2048 and one that crosses into
 * its own page, far away a free span in memory. */
static const struct heap_fact known[] = {
    {FACT_TOTAL, TOTAL_WALK, 0, 0, 0},
    {FACT_TOTAL, TOTAL_MAPPED, 0, 7 * PAGE, 0},
    {FACT_SPAN, SPAN_METADATA, 0x100000, PAGE, 0},
    {FACT_SPAN, SPAN_BLOCKS, 0x101000, 2 * PAGE, 2048},
    {FACT_BLOCK, BLOCK_LIVE, 0x101000, 2048, 0},
    {FACT_BLOCK, BLOCK_FREE, 0x101800, 2048, 0},
    {FACT_BLOCK, BLOCK_CACHED, 0x102000, 2048, 0},
    {FACT_BLOCK, BLOCK_LIVE, 0x102800, 2048, 0},
    {FACT_SPAN, SPAN_BLOCKS, 0x103000, 2 * PAGE, 0},
    {FACT_BLOCK, BLOCK_LIVE, 0x103000, 2 * PAGE, 0},
    {FACT_SPAN, SPAN_FREE, 0x900000, 2 * PAGE, 0},
    {FACT_LIVE, 0, 0x101000, 2000, 2048},
    {FACT_LIVE, 0, 0x103010, PAGE + 100, 2 * PAGE - 16},
    {FACT_RESIDENT, 0, 0x100000, 5 * PAGE, 0},
};
enum { KNOWN = sizeof known / sizeof *known };

Test(heap_picture, is_right_where_all_is_known)
{
    struct heap_picture p = made(known, KNOWN);

    cr_assert(p.has_walk && p.has_metadata && p.knows_free && p.knows_cached);
    cr_assert_eq(p.live_blocks, 2);
    cr_assert_eq(p.live_bytes, 2000 + PAGE + 100);
    cr_assert_eq(p.usable_bytes, 2048 + 2 * PAGE - 16);
    cr_assert_eq(p.total[TOTAL_MAPPED], 7 * PAGE);
    cr_assert_eq(p.span[SPAN_BLOCKS].count, 2);
    cr_assert_eq(p.span[SPAN_BLOCKS].bytes, 4 * PAGE);
    cr_assert_eq(p.span[SPAN_FREE].bytes, 2 * PAGE);
    cr_assert_eq(p.block[BLOCK_LIVE].count, 3);
    cr_assert_eq(p.block[BLOCK_CACHED].bytes, 2048);
    cr_assert_eq(p.strangers, 1, "the block at 0x102800");
    cr_assert_eq(p.missing, 0);
    cr_assert_eq(p.resident_bytes, 5 * PAGE);
    const struct picture_class *c = class_of(&p, 2048);
    cr_assert(c->live == 1 && c->free == 1 && c->cached == 1 && c->spans == 1);
    cr_assert_eq(c->live_bytes, 2000);
    c = class_of(&p, 2 * PAGE);
    cr_assert(c->live == 1 && c->spans == 0 && c->live_bytes == PAGE + 100);
    cr_assert_eq(p.free_size[11].count, 2);
    picture_close(&p);
}

Test(heap_picture, tells_pages_apart)
{
    struct heap_picture p = made(known, KNOWN);
    static const struct picture_page want[] = {
        {0x100000, 0, 0, 0, 1, 1 + SPAN_METADATA, PAGE_METADATA},
        {0x101000, 2000, 1, 7, 1, 1 + SPAN_BLOCKS, PAGE_LIVE},
        {0x102000, 0, 0, 0, 1, 1 + SPAN_BLOCKS, PAGE_FREE},
        {0x103000, PAGE - 16, 1, 9, 1, 1 + SPAN_BLOCKS, PAGE_LIVE},
        {0x104000, 116, 1, 9, 1, 1 + SPAN_BLOCKS, PAGE_LIVE},
    };

    cr_assert_eq(p.npages, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct picture_page *page = &p.page[i];
        cr_assert(page->address == want[i].address &&
                      page->live_bytes == want[i].live_bytes &&
                      page->blocks == want[i].blocks &&
                      page->doubling == want[i].doubling &&
                      page->is_resident == want[i].is_resident &&
                      page->span == want[i].span && page->kind == want[i].kind,
                  "page %d: %d live, %d blocks, doubling %d, kind %d", (int)i,
                  (int)page->live_bytes, (int)page->blocks, page->doubling,
                  page->kind);
    }
    cr_assert_eq(p.decile[0].bytes, 2 * PAGE);
    cr_assert_eq(p.metadata_bytes, PAGE);
    cr_assert_eq(p.decile[1].count, 1); /* 116 bytes */
    cr_assert_eq(p.decile[5].count, 1); /* 2000 */
    cr_assert_eq(p.decile[10].count, 1);
    cr_assert_eq(p.decile_bytes[5][7], PAGE);
    cr_assert_eq(p.crowd[0].count, 2);
    cr_assert_eq(p.crowd[1].count, 3);
    picture_close(&p);
}

Test(heap_picture, takes_a_librarys_own_account)
{
    static const struct heap_fact facts[] = {
        {FACT_TOTAL, TOTAL_WALK, 0, ENOTSUP, 0},
        {FACT_LIVE, 0, 0x101000, 30, 32},
        {FACT_LIVE, 0, 0x101020, 32, 32},
        {FACT_CLASS, 3, 5, 32, 7},           /* five in use: three cached */
        {FACT_CLASS, 0, UINT64_MAX, 64, 11}, /* says only what is free */
    };
    struct heap_picture p = made(facts, sizeof facts / sizeof *facts);

    cr_assert(!p.has_walk && p.knows_free && p.knows_cached);
    const struct picture_class *c = class_of(&p, 32);
    cr_assert(c->live == 2 && c->cached == 3 && c->free == 7 && c->spans == 3);
    c = class_of(&p, 64);
    cr_assert(c->live == 0 && c->cached == 0 && c->free == 11);
    cr_assert_eq(p.free_size[5].count, 10);
    cr_assert_eq(p.free_size[6].bytes, 11 * 64);
    picture_close(&p);
}

Test(heap_picture, knows_an_arenas_chunk_and_a_block_within_a_block)
{
    static const struct heap_fact facts[] = {
        {FACT_TOTAL, TOTAL_WALK, 0, 0, 0},
        {FACT_BLOCK, BLOCK_LIVE, 0x101000, 1000, 0}, /* many of the trace's */
        {FACT_LIVE, 0, 0x101000, 50, 50},
        {FACT_LIVE, 0, 0x101100, 60, 60},
        {FACT_BLOCK, BLOCK_LIVE, 0x102000, 512, 0}, /* one, aligned */
        {FACT_LIVE, 0, 0x102100, 70, 256},
        {FACT_LIVE, 0, 0x103000, 80, 96}, /* in none */
    };
    struct heap_picture p = made(facts, sizeof facts / sizeof *facts);

    cr_assert_eq(p.strangers, 0);
    cr_assert_eq(p.missing, 1);
    cr_assert_eq(class_of(&p, 50)->live, 1);
    cr_assert_eq(class_of(&p, 60)->live, 1);
    cr_assert_eq(class_of(&p, 512)->live_bytes, 70);
    cr_assert_eq(class_of(&p, 96)->live, 1);
    picture_close(&p);
}

Test(heap_picture, adds_up_whatever_the_facts_are)
{
    enum { N = 3000 };
    static struct heap_fact fact[N];

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random r;
        uint64_t at = 0x10000, bytes = 0, pages = 0, classes = 0, tallied = 0;

        random_seed(&r, seed);
        for (size_t i = 0; i < N; i++) {
            const uint64_t usable = 1 + random_below(&r, 9000);
            at += random_below(&r, 50) ? random_below(&r, 3000)
                                       : random_below(&r, 1 << 24);
            fact[i] = (struct heap_fact){FACT_LIVE, 0, at,
                                         random_below(&r, usable + 1), usable};
            at += usable;
            bytes += fact[i].bytes;
        }
        struct heap_picture p = made(fact, N);
        for (size_t i = 0; i < p.npages; i++) {
            pages += p.page[i].live_bytes;
            cr_assert_leq(p.page[i].live_bytes, PAGE);
            cr_assert(!i || p.page[i].address > p.page[i - 1].address);
        }
        for (size_t i = 0; i < p.nclasses; i++)
            classes += p.classes[i].live_bytes;
        for (unsigned d = 0; d < PICTURE_DECILES; d++)
            tallied += p.decile[d].count;
        cr_assert_eq(p.live_bytes, bytes);
        cr_assert_eq(pages, bytes, "seed %d", (int)seed);
        cr_assert_eq(classes, bytes);
        size_t used = 0;
        for (size_t i = 0; i < p.npages; i++)
            used += p.page[i].kind != PAGE_ABSENT;
        cr_assert_eq(tallied, used);
        picture_close(&p);
    }
}

Test(heap_picture, refuses_what_are_no_facts)
{
    static const struct heap_fact bad[] = {
        {FACT_KINDS, 0, 0, 0, 0},
        {FACT_SPAN, SPAN_METADATA + 1, 0, 0, 0},
        {FACT_BLOCK, BLOCK_CACHED + 1, 0, 0, 0},
        {FACT_TOTAL, TOTAL_KINDS, 0, 0, 0},
        {FACT_LIVE, 0, UINT64_MAX, 8, 8},
        {FACT_RESIDENT, 0, PAGE, UINT64_MAX, 0},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct heap_picture p;
        cr_assert_eq(picture_open(&bad[i], 1, PAGE, &p), EBADMSG, "%d", (int)i);
        picture_close(&p);
    }
}

Test(heap_picture, doublings_hold_their_sizes)
{
    static const struct {
        uint64_t bytes;
        unsigned doubling;
    } cases[] = {{1, 0},  {16, 0}, {17, 1},   {32, 1},
                 {33, 2}, {64, 2}, {4096, 8}, {UINT64_C(1) << 60, 27}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(picture_doubling(cases[i].bytes), cases[i].doubling);
}

/* ---- pages in memory ---- */

struct found {
    uint64_t from, to, pages;
    struct page_run run[8];
    size_t n;
};

static void find(void *arg, struct page_run run)
{
    struct found *f = arg;
    const uint64_t from = run.start > f->from ? run.start : f->from;
    const uint64_t to = run.end < f->to ? run.end : f->to;

    f->pages += to > from ? (to - from) / os_page_size() : 0;
}

Test(resident, finds_the_pages_that_were_touched)
{
    const size_t page = os_page_size(), n = 40000; /* more than at once */
    char *p = os_pages_map(NULL, n * page);
    struct found f = {.from = (uintptr_t)p, .to = (uintptr_t)p + n * page};

    cr_assert_not_null(p);
    cr_assert_eq(resident_visit(find, &f), 0);
    cr_assert_eq(f.pages, 0);
    static const size_t touched[] = {0, 1, 5, 16383, 16384, 39999};
    for (size_t i = 0; i < sizeof touched / sizeof *touched; i++)
        p[touched[i] * page] = 1;
    cr_assert_eq(resident_visit(find, &f), 0);
    cr_assert_eq(f.pages, 6, "%d pages", (int)f.pages);
    os_pages_unmap(NULL, p, n * page);
}

static void keep(void *arg, struct page_run run)
{
    struct found *f = arg;

    f->run[f->n++] = run;
}

Test(resident, subtracts_runs)
{
    static const struct page_run without[] = {{10, 20}, {30, 40}, {50, 60}};
    static const struct page_run runs[] = {
        {0, 15}, {18, 35}, {36, 55}, {60, 61}};
    static const struct page_run want[] = {
        {0, 10}, {20, 30}, {40, 50}, {60, 61}};
    struct found f = {0};
    size_t from = 0;

    for (size_t i = 0; i < 4; i++)
        resident_subtract(runs[i], without, 3, &from, keep, &f);
    cr_assert_eq(f.n, 4);
    cr_assert_arr_eq(f.run, want, sizeof want);
}

/* ---- a replay at rest, a trace cut short ---- */

static struct shared_page page;
static struct scratch scratch;

static void open_scratch(void)
{
    scratch_open(&scratch);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(at_mark, .init = open_scratch, .fini = close_scratch);

static struct trace *map(const char *path)
{
    struct trace *trace;
    char why[512];

    cr_assert_eq(trace_map(path, &trace, why, sizeof why), 0, "%s", why);
    return trace;
}

struct rested {
    unsigned threads, calls;
    _Atomic int inside;
};

/* Every thread has played all, and none is in another call. */
static void rest(void *arg, unsigned thread)
{
    struct rested *r = arg;

    cr_assert_eq(atomic_fetch_add(&r->inside, 1), 0);
    cr_assert_eq(thread, r->calls++);
    for (unsigned i = 0; i < r->threads; i++)
        cr_assert_eq(atomic_load(&page.thread[i].place), UINT64_MAX);
    atomic_fetch_sub(&r->inside, 1);
}

static void no_clock(void *arg)
{
    (void)arg;
}

Test(at_mark, every_thread_is_called_once_and_in_order_when_all_have_played)
{
    struct ops_random source = ops_random((struct ops_random){
        .seed = 5, .threads = 5, .ops = 4000, .live = 200, .max_size = 500});
    char path[600], why[512];
    struct replay *replay;

    scratch_path(&scratch, "t", path, sizeof path);
    cr_assert_eq(trace_compile(&source.source, path, why, sizeof why), 0);
    struct trace *trace = map(path);
    struct rested rested = {.threads = trace->threads};
    const struct allocator *slab = allocator_find("slab");
    struct replay_config config = {.allocator = slab,
                                   .trace = trace,
                                   .page = &page,
                                   .touch = TOUCH_PAGE,
                                   .at_rest = rest,
                                   .meter = &rested,
                                   .result_fd = 2};
    const struct heap_config heap = {.threads = trace->threads};
    cr_assert_gt(trace->threads, 1);
    cr_assert_eq(slab->open(&heap, &config.heap), 0);
    cr_assert_eq(replay_open(&config, &replay), 0);
    replay_run(replay, no_clock, no_clock);
    cr_assert_eq(rested.calls, trace->threads);
    replay_close(replay);
    slab->close(config.heap);
    trace_unmap(trace);
}

/* Cut behind each mark, it leaves what the whole trace says is live there. */
static void expect_cuts(struct trace_request request)
{
    char whole_path[600], path[600], why[512];

    scratch_path(&scratch, "whole", whole_path, sizeof whole_path);
    scratch_path(&scratch, "part", path, sizeof path);
    cr_assert_eq(prepare_compile(&request, whole_path, why, sizeof why), 0,
                 "%s", why);
    struct trace *whole = map(whole_path);
    for (unsigned i = 0; i < whole->nmarks; i++) {
        const struct trace_mark *mark = &whole->marks[i];

        request.first_ops = mark->place + 1;
        cr_assert_eq(prepare_compile(&request, path, why, sizeof why), 0, "%s",
                     why);
        struct trace *part = map(path);
        cr_assert_eq(part->totals.ops, mark->place + 1);
        cr_assert_eq(part->totals.left_bytes, mark->live_bytes, "%s at %s",
                     request.workload, mark->name);
        cr_assert_eq(part->totals.left_blocks, mark->live_blocks);
        trace_unmap(part);
    }
    trace_unmap(whole);
}

Test(at_mark, a_trace_cut_there_leaves_what_is_live_there)
{
    expect_cuts((struct trace_request){.workload = "churn:objects=500:ops=5000",
                                       .threads = 3,
                                       .seed = 2,
                                       .scale = 1});
    expect_cuts((struct trace_request){.workload = "lua"});
}
