/* heap_print.c - a heap's picture as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heap_report.h"

#include <errno.h>
#include <inttypes.h>

#include "heap_walk.h"

enum {
    ROWS_MAX = 100, /* more classes than these are shown by doublings */
    BAR = 30
};

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

static void print_bar(FILE *f, uint64_t part, uint64_t whole)
{
    const unsigned n = whole ? (unsigned)((part * BAR + whole - 1) / whole) : 0;

    fprintf(f, "  %.*s\n", (int)n, "##############################");
}

/* "16 B", "1.5 KiB", "2 MiB": exact where it is round. */
static const char *short_bytes(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    double value = (double)bytes;
    unsigned i = 0;

    for (; i < 3 && value >= 1024; i++)
        value /= 1024;
    snprintf(text, 32, "%.4g %s", value, units[i]);
    return text;
}

/* ---- sums ---- */

static void print_sum(FILE *f, const struct heap_picture *p, const char *name,
                      uint64_t bytes, const char *what)
{
    fprintf(f, "%-18s %10.3f %7.3f  %s\n", name, mib(bytes),
            p->live_bytes ? (double)bytes / (double)p->live_bytes : 0, what);
}

static void print_outer(FILE *f, const struct heap_picture *p)
{
    const uint64_t bare = p->decile[0].bytes;
    char what[80];

    fprintf(f, "%-18s %10s %7s\n", "", "MiB", "x live");
    snprintf(what, sizeof what, "exact: %" PRIu64 " blocks, of the trace",
             p->live_blocks);
    print_sum(f, p, "live", p->live_bytes, what);
    print_sum(f, p, "usable", p->usable_bytes,
              "exact: what the blocks could hold");
    print_sum(f, p, "  lost in blocks", p->usable_bytes - p->live_bytes,
              "exact: usable less live");
    if (p->has_total[TOTAL_RSS])
        print_sum(f, p, "resident", p->total[TOTAL_RSS],
                  "estimate: the kernel's count, since the start");
    print_sum(f, p, "resident pages", p->resident_bytes,
              "exact: that came into memory since the start");
    print_sum(f, p, "  without live", bare,
              "exact: of these, no byte is live in");
    if (p->metadata_bytes)
        print_sum(f, p, "  of them records", p->metadata_bytes,
                  "exact: the allocator's own");
}

static void print_inner(FILE *f, const struct heap_picture *p)
{
    char what[80];

    if (p->has_total[TOTAL_MAPPED])
        print_sum(f, p, "from the system", p->total[TOTAL_MAPPED],
                  "exact: the allocator's own account");
    if (!p->has_walk)
        return;
    static const char *const spans[] = {"  cut into blocks", "  free spans",
                                        "  records"};
    for (unsigned k = 0; k < 3; k++) {
        snprintf(what, sizeof what, "exact: %" PRIu64 " spans",
                 p->span[k].count);
        if (p->span[k].count || p->has_metadata)
            print_sum(f, p, spans[k], p->span[k].bytes, what);
    }
    static const char *const states[] = {"live blocks", "free blocks",
                                         "cached blocks"};
    for (unsigned k = 0; k < PICTURE_STATES; k++) {
        snprintf(what, sizeof what, "exact: %" PRIu64 " blocks of the walk",
                 p->block[k].count);
        print_sum(f, p, states[k], p->block[k].bytes, what);
    }
    if (p->strangers)
        fprintf(
            f, "%" PRIu64 " live blocks of the walk hold none of the trace's\n",
            p->strangers);
    if (p->missing)
        fprintf(f,
                "%" PRIu64 " live blocks of the trace are in none of the walk: "
                "it is wrong\n",
                p->missing);
}

/* ---- classes ---- */

/* How many blocks of a class there are, "?" if the allocator does not say. */
static const char *block_count(bool is_known, uint64_t n, char text[24])
{
    if (is_known)
        snprintf(text, 24, "%" PRIu64, n);
    else
        snprintf(text, 24, "?");
    return text;
}

/* One class, or the sum of some. */
struct class_row {
    struct picture_class sum;  /* without block_bytes */
    uint64_t lost_in, lost_as; /* bytes, in live blocks and as free ones */
};

static void row_add(struct class_row *row, const struct picture_class *c)
{
    row->sum.spans += c->spans;
    row->sum.live += c->live;
    row->sum.free += c->free;
    row->sum.cached += c->cached;
    row->lost_in += c->live * c->block_bytes - c->live_bytes;
    row->lost_as += (c->free + c->cached) * c->block_bytes;
}

static void print_row(FILE *f, const struct heap_picture *p,
                      const struct class_row *row, const char *name)
{
    const struct picture_class *c = &row->sum;
    char free[24], cached[24], spans[24];

    fprintf(f, "%10s %7s %9" PRIu64 " %9s %8s %5.1f %9.3f %9.3f\n", name,
            block_count(c->spans > 0, c->spans, spans), c->live,
            block_count(p->knows_free, c->free, free),
            block_count(p->knows_cached, c->cached, cached),
            percent(c->live, c->live + c->free + c->cached), mib(row->lost_in),
            mib(row->lost_as));
}

static void print_doublings(FILE *f, const struct heap_picture *p)
{
    for (size_t i = 0; i < p->nclasses;) {
        const unsigned k = picture_doubling(p->classes[i].block_bytes);
        struct class_row row = {0};
        char size[32], name[40];

        for (; i < p->nclasses &&
               picture_doubling(p->classes[i].block_bytes) == k;
             i++)
            row_add(&row, &p->classes[i]);
        snprintf(name, sizeof name, "to %s",
                 short_bytes(UINT64_C(16) << k, size));
        print_row(f, p, &row, name);
    }
}

static void print_classes(FILE *f, const struct heap_picture *p)
{
    char name[32];

    fprintf(f,
            "\n%10s %7s %9s %9s %8s %5s %9s %9s\n%10s %7s %9s %9s %8s %5s "
            "%9s %9s\n",
            "block", "", "blocks", "blocks", "blocks", "live", "MiB lost",
            "MiB lost", "size", "spans", "live", "free", "cached", "%",
            "in blocks", "as blocks");
    if (p->nclasses > ROWS_MAX) {
        print_doublings(f, p);
        return;
    }
    for (size_t i = 0; i < p->nclasses; i++) {
        struct class_row row = {0};

        row_add(&row, &p->classes[i]);
        print_row(f, p, &row, short_bytes(p->classes[i].block_bytes, name));
    }
}

/* ---- distributions ---- */

static void print_free(FILE *f, const struct heap_picture *p)
{
    uint64_t all = 0, most = 0;
    char name[32];

    for (unsigned k = 0; k < PICTURE_SIZES; k++) {
        all += p->free_size[k].count;
        most = p->free_size[k].bytes > most ? p->free_size[k].bytes : most;
    }
    if (!all)
        return;
    fprintf(f, "\nfree and cached blocks, by size\n%12s %10s %9s\n", "from",
            "blocks", "MiB");
    for (unsigned k = 0; k < PICTURE_SIZES; k++) {
        if (!p->free_size[k].count)
            continue;
        fprintf(f, "%12s %10" PRIu64 " %9.3f",
                short_bytes(UINT64_C(1) << k, name), p->free_size[k].count,
                mib(p->free_size[k].bytes));
        print_bar(f, p->free_size[k].bytes, most);
    }
}

static void print_pages(FILE *f, const char *head, const struct tally t[],
                        unsigned n,
                        const char *(*name)(unsigned k, char text[32]))
{
    uint64_t most = 0, all = 0;
    char text[32];

    for (unsigned k = 0; k < n; k++) {
        all += t[k].bytes;
        most = t[k].bytes > most ? t[k].bytes : most;
    }
    fprintf(f, "\n%s\n", head);
    for (unsigned k = 0; k < n; k++) {
        if (!t[k].count)
            continue;
        fprintf(f, "%12s %10" PRIu64 " %9.3f %5.1f %%", name(k, text),
                t[k].count, mib(t[k].bytes), percent(t[k].bytes, all));
        print_bar(f, t[k].bytes, most);
    }
}

static const char *decile_name(unsigned k, char text[32])
{
    if (k)
        snprintf(text, 32, "to %u %%", 10 * k);
    else
        snprintf(text, 32, "none");
    return text;
}

static const char *crowd_name(unsigned k, char text[32])
{
    if (k < 3)
        snprintf(text, 32, "%u", k);
    else if (k == PICTURE_CROWDS - 1)
        snprintf(text, 32, "more");
    else
        snprintf(text, 32, "%u to %u", (1u << (k - 2)) + 1, 1u << (k - 1));
    return text;
}

/* ---- all ---- */

static void print_head(FILE *f, const struct heap_origin *o)
{
    fprintf(f,
            "%s on %s, %u thread%s, at %s: after operation %" PRIu64
            " of %" PRIu64 "\nserved by %s; touch %s\n\n",
            o->allocator, o->request->workload, o->threads,
            o->threads == 1 ? "" : "s", o->at, o->place, o->ops, o->served_by,
            o->touch);
}

static void print_missing(FILE *f, const struct heap_origin *o,
                          const struct heap_picture *p)
{
    if (p->has_walk)
        return;
    if (!p->knows_free)
        fprintf(f,
                "%s shows neither spans nor free blocks: the rest is what "
                "can be seen from\noutside.\n",
                o->allocator);
    else
        fprintf(f, "%s shows no spans; free blocks are by its own account%s.\n",
                o->allocator,
                p->knows_cached ? ""
                                : ", those in\ncaches of threads counted as "
                                  "free or not at all");
}

int heap_print(const struct heap_origin *o, const struct heap_picture *p,
               FILE *f)
{
    char head[80];

    print_head(f, o);
    print_outer(f, p);
    print_inner(f, p);
    print_missing(f, o, p);
    print_classes(f, p);
    print_free(f, p);
    snprintf(head, sizeof head,
             "pages of %" PRIu64 " B, by share of live bytes: "
             "pages, MiB",
             p->page_bytes);
    print_pages(f, head, p->decile, PICTURE_DECILES, decile_name);
    print_pages(f, "pages, by live blocks that touch them: pages, MiB",
                p->crowd, PICTURE_CROWDS, crowd_name);
    return ferror(f) ? EIO : 0;
}
