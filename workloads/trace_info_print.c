/* trace_info_print.c - the figures of a trace, for people and for programs.
 *
 * For people: sections of aligned lines, at most 80 columns, with bars that
 * compare the rows of one section (the longest is its largest row).  For
 * programs: one record a figure, unrounded.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_info.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    TEXT_SIZE = 32, /* of one number */
    BAR_MAX = 28,   /* columns */
    ROWS_MAX = 16   /* of threads and of marks */
};

/* ---- numbers ---- */

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t v, char out[TEXT_SIZE])
{
    char digits[TEXT_SIZE];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, v);
    char *to = out;

    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

/* Bytes to three digits or so: "640 B", "24.5 MiB", "4 KiB". */
static const char *bytes_text(uint64_t v, char out[TEXT_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
    double x = (double)v / 1024;
    size_t i = 0;

    if (v < 1024) {
        snprintf(out, TEXT_SIZE, "%" PRIu64 " B", v);
        return out;
    }
    for (; x >= 1024 && i + 1 < sizeof units / sizeof *units; i++)
        x /= 1024;
    int is_whole = x == (double)(uint64_t)x;
    snprintf(out, TEXT_SIZE, "%.*f %s",
             is_whole ? 0
             : x < 10 ? 2
                      : 1,
             x, units[i]);
    return out;
}

static const char *nanoseconds_text(uint64_t ns, char out[TEXT_SIZE])
{
    double s = (double)ns * 1e-9;

    if (s >= 1)
        snprintf(out, TEXT_SIZE, "%.2f s", s);
    else if (s >= 1e-3)
        snprintf(out, TEXT_SIZE, "%.2f ms", s * 1e3);
    else
        snprintf(out, TEXT_SIZE, "%.2f us", s * 1e6);
    return out;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* End a row with a bar for v, where `most` fills BAR_MAX columns.  Whatever is
 * there is seen. */
static void end_row(FILE *out, uint64_t v, uint64_t most)
{
    int n = most ? (int)((double)v / (double)most * BAR_MAX + 0.5) : 0;

    if (v && !n)
        n = 1;
    if (n)
        fputs("  ", out);
    while (n-- > 0)
        fputc('#', out);
    fputc('\n', out);
}

/* A label, a count, its share of `whole`, and a bar relative to `most`. */
static void print_row(FILE *out, const char *label, uint64_t v, uint64_t whole,
                      uint64_t most)
{
    char text[TEXT_SIZE];

    fprintf(out, "  %-10s %18s %6.2f %%", label, grouped(v, text),
            percent(v, whole));
    end_row(out, v, most);
}

static uint64_t largest(const uint64_t v[], size_t n)
{
    uint64_t most = 0;

    for (size_t i = 0; i < n; i++)
        if (v[i] > most)
            most = v[i];
    return most;
}

/* The rows of a histogram that are shown: first .. last, without the empty
 * ends.  Returns 0 if all are empty. */
static int used_range(const uint64_t v[], size_t n, size_t *first, size_t *last)
{
    size_t i = 0;

    while (i < n && !v[i])
        i++;
    *first = i;
    for (*last = i; i < n; i++)
        if (v[i])
            *last = i;
    return *first < n;
}

/* ---- sections for people ---- */

static void print_kinds(const struct trace_figures *f, FILE *out)
{
    uint64_t most = largest(f->by_kind, OP_TIME);
    char a[TEXT_SIZE], b[TEXT_SIZE];

    fprintf(out, "Operations: %s by %u thread%s", grouped(f->ops, a),
            f->threads, f->threads == 1 ? "" : "s");
    if (f->duration_ns)
        fprintf(out, ", recorded over %s", nanoseconds_text(f->duration_ns, b));
    fputc('\n', out);
    for (int kind = 0; kind < OP_TIME; kind++)
        if (f->by_kind[kind])
            print_row(out, op_kind_name((enum op_kind)kind), f->by_kind[kind],
                      f->ops, most);
}

static void print_threads(const struct trace_figures *f, FILE *out)
{
    uint64_t most = largest(f->thread_ops, f->threads), rest = 0;
    char a[TEXT_SIZE];

    if (f->threads < 2)
        return;
    fprintf(out, "\nThreads: operations\n");
    for (unsigned i = 0; i < f->threads && i < ROWS_MAX; i++)
        print_row(out, grouped(i, a), f->thread_ops[i], f->ops, most);
    for (unsigned i = ROWS_MAX; i < f->threads; i++)
        rest += f->thread_ops[i];
    if (f->threads > ROWS_MAX)
        print_row(out, "all others", rest, f->ops, most);
}

static void print_allocations(const struct trace_figures *f, FILE *out)
{
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];
    double mean = f->births ? (double)f->birth_bytes / (double)f->births : 0;

    fprintf(out, "\nAllocations: %s of %s in all\n", grouped(f->births, a),
            bytes_text(f->birth_bytes, b));
    fprintf(out, "  size: mean %.1f, median %s, p99 %s, largest %s bytes%s\n",
            mean, grouped(f->size_p50, a), grouped(f->size_p99, b),
            grouped(f->size_max, c),
            f->sizes_are_estimates ? " (estimate)" : "");
    fprintf(out, "  zeroed %.2f %%, aligned %.2f %%",
            percent(f->zeroed, f->births), percent(f->aligned, f->births));
    if (f->aligned)
        fprintf(out, " (at most to %s)",
                bytes_text(UINT64_C(1) << f->max_align_log2, a));
    fputc('\n', out);
}

static void print_sizes(const struct trace_figures *f, FILE *out)
{
    uint64_t most = largest(f->size_count, INFO_BUCKETS);
    size_t first, last;
    char a[TEXT_SIZE], b[TEXT_SIZE];

    if (!used_range(f->size_count, INFO_BUCKETS, &first, &last))
        return;
    fprintf(out, "\n  %-10s %18s %8s %8s\n", "size up to", "allocations",
            "share", "of bytes");
    for (size_t i = first; i <= last; i++) {
        const char *limit = i < 64 ? bytes_text(UINT64_C(1) << i, b) : "more";

        fprintf(out, "  %-10s %18s %6.2f %% %6.2f %%", limit,
                grouped(f->size_count[i], a),
                percent(f->size_count[i], f->births),
                percent(f->size_bytes[i], f->birth_bytes));
        end_row(out, f->size_count[i], most);
    }
}

static uint64_t top_sum(const struct trace_figures *f, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n && i < f->ntop; i++)
        sum += f->top[i].count;
    return sum;
}

static void print_top(const struct trace_figures *f, FILE *out)
{
    char a[TEXT_SIZE];

    if (!f->ntop)
        return;
    fprintf(out, "\nCommonest of %s%s sizes: 2 are %.1f %%, 10 are %.1f %%\n",
            grouped(f->distinct_sizes, a),
            f->sizes_are_estimates ? " and more" : "",
            percent(top_sum(f, 2), f->births),
            percent(top_sum(f, INFO_TOP), f->births));
    if (f->sizes_are_estimates)
        fprintf(out,
                "  estimate: only the first %d sizes are counted one by "
                "one\n",
                SIZE_TALLY_MAX);
    for (size_t i = 0; i < f->ntop; i++)
        print_row(out, grouped(f->top[i].size, a), f->top[i].count, f->births,
                  f->top[0].count);
}

static void print_lifetimes(const struct trace_figures *f, FILE *out)
{
    uint64_t most = largest(f->lifetime, INFO_BUCKETS);
    size_t first, last;
    char a[TEXT_SIZE];

    if (!f->births)
        return;
    if (f->left_blocks > most)
        most = f->left_blocks;
    fprintf(out, "\nLifetime: births of other objects in an object's life, up "
                 "to\n");
    if (used_range(f->lifetime, INFO_BUCKETS, &first, &last))
        for (size_t i = first; i <= last; i++)
            print_row(out, i ? grouped(UINT64_C(1) << (i - 1), a) : "0",
                      f->lifetime[i], f->births, most);
    print_row(out, "not freed", f->left_blocks, f->births, most);
}

static void print_memory(const struct trace_figures *f, FILE *out)
{
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];

    fprintf(out, "\nMemory (as asked for, without the allocator's share)\n");
    fprintf(out, "  peak       %s in %s blocks, at operation %s (%.1f %%)\n",
            bytes_text(f->peak_bytes, a), grouped(f->peak_blocks, b),
            grouped(f->peak_place, c), percent(f->peak_place, f->ops));
    fprintf(out, "  left       %s in %s blocks at the end\n",
            bytes_text(f->left_bytes, a), grouped(f->left_blocks, b));
    fprintf(out,
            "  frees      %s, %.2f %% by another thread than the last "
            "user\n",
            grouped(f->frees, a), percent(f->cross_frees, f->frees));
    if (f->resizes) {
        fprintf(out, "  resizes    %s: %s grew by %s", grouped(f->resizes, a),
                grouped(f->grown, b), bytes_text(f->growth_bytes, c));
        fprintf(out, ", %s shrank\n", grouped(f->shrunk, a));
    }
    if (f->by_kind[OP_TOUCH])
        fprintf(out, "  touches    %s of %s\n",
                grouped(f->by_kind[OP_TOUCH], a),
                bytes_text(f->touched_bytes, b));
}

static void print_marks(const struct trace_figures *f, FILE *out)
{
    char a[TEXT_SIZE], b[TEXT_SIZE];

    if (!f->nmarks)
        return;
    fprintf(out, "\n%-28s %18s %15s %15s\n", "Marks", "at operation", "live",
            "blocks");
    for (size_t i = 0; i < f->nmarks && i < ROWS_MAX; i++) {
        const struct info_mark *m = &f->marks[i];

        fprintf(out, "  %-26.48s %18s", m->name, grouped(m->place, a));
        fprintf(out, " %15s %15s\n", bytes_text(m->live_bytes, a),
                grouped(m->live_blocks, b));
    }
    if (f->by_kind[OP_MARK] > ROWS_MAX)
        fprintf(out, "  and %s more (--csv has up to %d)\n",
                grouped(f->by_kind[OP_MARK] - ROWS_MAX, a), INFO_MARKS_MAX);
}

void trace_figures_print(const struct trace_figures *f, FILE *out)
{
    print_kinds(f, out);
    print_threads(f, out);
    print_allocations(f, out);
    print_sizes(f, out);
    print_top(f, out);
    print_lifetimes(f, out);
    print_memory(f, out);
    print_marks(f, out);
}

/* ---- records for programs ---- */

static void record(FILE *out, const char *figure, const char *key,
                   const char *unit, uint64_t value)
{
    fprintf(out, "%s,%s,%s,%" PRIu64 "\n", figure, key, unit, value);
}

/* A record whose key is a number. */
static void record_at(FILE *out, const char *figure, uint64_t key,
                      const char *unit, uint64_t value)
{
    fprintf(out, "%s,%" PRIu64 ",%s,%" PRIu64 "\n", figure, key, unit, value);
}

/* A record whose key is a mark's name, quoted as RFC 4180 wants it. */
static void record_mark(FILE *out, const char *figure, const char *name,
                        const char *unit, uint64_t value)
{
    fprintf(out, "%s,\"", figure);
    for (const char *c = name; *c; c++) {
        if (*c == '"')
            fputc('"', out);
        fputc(*c, out);
    }
    fprintf(out, "\",%s,%" PRIu64 "\n", unit, value);
}

static void csv_kinds(const struct trace_figures *f, FILE *out)
{
    record(out, "operations", "", "operations", f->ops);
    for (int kind = 0; kind < OP_KINDS; kind++)
        record(out, "operations", op_kind_name((enum op_kind)kind),
               "operations", f->by_kind[kind]);
    record(out, "threads", "", "threads", f->threads);
    for (unsigned i = 0; i < f->threads; i++)
        record_at(out, "thread_operations", i, "operations", f->thread_ops[i]);
    record(out, "duration", "", "ns", f->duration_ns);
}

static void csv_sizes(const struct trace_figures *f, FILE *out)
{
    record(out, "allocated", "", "bytes", f->birth_bytes);
    record(out, "zeroed", "", "allocations", f->zeroed);
    record(out, "aligned", "", "allocations", f->aligned);
    record(out, "largest_alignment", "", "bytes",
           f->aligned ? UINT64_C(1) << f->max_align_log2 : 0);
    record(out, "size", "p50", "bytes", f->size_p50);
    record(out, "size", "p99", "bytes", f->size_p99);
    record(out, "size", "max", "bytes", f->size_max);
    record(out, "distinct_sizes", "", "sizes", f->distinct_sizes);
    record(out, "sizes_are_estimates", "", "1",
           (uint64_t)f->sizes_are_estimates);
    for (size_t i = 0; i < 64; i++) {
        if (!f->size_count[i])
            continue;
        record_at(out, "size_up_to", UINT64_C(1) << i, "allocations",
                  f->size_count[i]);
        record_at(out, "size_up_to", UINT64_C(1) << i, "bytes",
                  f->size_bytes[i]);
    }
    for (size_t i = 0; i < f->ntop; i++)
        record_at(out, "commonest_size", f->top[i].size, "allocations",
                  f->top[i].count);
}

static void csv_lives(const struct trace_figures *f, FILE *out)
{
    for (size_t i = 0; i < INFO_BUCKETS; i++)
        if (f->lifetime[i])
            record_at(out, "lifetime_up_to", i ? UINT64_C(1) << (i - 1) : 0,
                      "objects", f->lifetime[i]);
    record(out, "left", "", "blocks", f->left_blocks);
    record(out, "left", "", "bytes", f->left_bytes);
    record(out, "peak", "", "bytes", f->peak_bytes);
    record(out, "peak", "", "blocks", f->peak_blocks);
    record(out, "peak", "", "place", f->peak_place);
    record(out, "cross_frees", "", "operations", f->cross_frees);
    record(out, "resizes", "grown", "operations", f->grown);
    record(out, "resizes", "grown", "bytes", f->growth_bytes);
    record(out, "resizes", "shrunk", "operations", f->shrunk);
    record(out, "touched", "", "bytes", f->touched_bytes);
}

void trace_figures_csv(const struct trace_figures *f, FILE *out)
{
    csv_kinds(f, out);
    csv_sizes(f, out);
    csv_lives(f, out);
    for (size_t i = 0; i < f->nmarks; i++) {
        const struct info_mark *m = &f->marks[i];

        record_mark(out, "mark", m->name, "place", m->place);
        record_mark(out, "mark", m->name, "bytes", m->live_bytes);
        record_mark(out, "mark", m->name, "blocks", m->live_blocks);
    }
}
