/* test_workload_size.c - the table of sizes says what the workloads are.
 *
 * Operations and live peaks are held against what is composed.  Programs are
 * not run: of them the row has to be there, and of their version.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "workload.h"
#include "workload_size.h"

enum { WORKLOADS_MAX = 200 };

/* Composing says the same in any build; where it is slow the long are left
 * out. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { OPS_MAX = 500000 };
#else
enum { OPS_MAX = 1000000000 };
#endif

/* Counts operations and live bytes; trusts what it is given. */
struct weigher {
    struct op_sink sink; /* first: put casts back */
    uint64_t *size;      /* [room], by object */
    size_t room;
    uint64_t ops, live, peak;
};

static void weigh(struct weigher *w, uint64_t object, uint64_t size)
{
    w->live += size - w->size[object];
    w->size[object] = size;
    if (w->live > w->peak)
        w->peak = w->live;
}

static int weigher_put(struct op_sink *sink, const struct op *op)
{
    struct weigher *w = (struct weigher *)sink;

    w->ops += op->kind != OP_TIME;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        if (op->object >= w->room) {
            w->room = w->room ? w->room * 2 : 1 << 20;
            w->size = realloc(w->size, w->room * sizeof *w->size);
            cr_assert_not_null(w->size);
        }
        w->size[op->object] = 0;
        weigh(w, op->object, op->size);
        return 0;
    case OP_RESIZE:
        weigh(w, op->object, op->size);
        return 0;
    case OP_FREE:
        w->live -= w->size[op->object];
        return 0;
    default:
        return 0;
    }
}

static void expect_near(const char *name, const char *what, uint64_t says,
                        uint64_t is)
{
    cr_expect(fabs((double)says - (double)is) <= (double)is / 100,
              "%s: the table says %" PRIu64 " %s, composed are %" PRIu64
              " (run ci/workload-sizes)",
              name, says, what, is);
}

ParameterizedTestParameters(workload_size, is_what_is_composed)
{
    static size_t index[WORKLOADS_MAX];
    size_t n = 0;

    while (workloads[n] && n < WORKLOADS_MAX) {
        index[n] = n;
        n++;
    }
    return cr_make_param_array(size_t, index, n);
}

ParameterizedTest(const size_t *index, workload_size, is_what_is_composed)
{
    const struct workload *w = workloads[*index];
    const struct workload_size *size = workload_size_find(w->name);
    struct weigher weigher = {.sink.put = weigher_put};
    struct op_feed feed = {.sink = &weigher.sink};
    struct knob_values values;
    char why[256] = "";

    cr_assert(size && size->version == w->version,
              "%s: no size of version %u in workload_sizes.c (run "
              "ci/workload-sizes)",
              w->name, w->version);
    cr_expect_eq(size->threads, w->min_threads, "%s", w->name);
    cr_expect(size->peak_bytes > 0 || w->run, "%s", w->name); /* < a page */
    cr_expect(size->cpu_s > 0 && size->cpu_s < 600, "%s: %g s", w->name,
              size->cpu_s);
    if (w->run || size->ops > OPS_MAX)
        return;
    cr_assert_eq(workload_knobs(w, "", &values, why, sizeof why), 0, "%s", why);
    cr_assert_eq(w->compose(&values, 1, w->min_threads, 1, &feed), 0);
    expect_near(w->name, "operations", size->ops, weigher.ops);
    expect_near(w->name, "bytes live", size->peak_bytes, weigher.peak);
    free(weigher.size);
}

Test(workload_size, no_row_is_of_what_is_not_there)
{
    for (const struct workload_size *s = workload_sizes; s->name; s++)
        cr_expect_not_null(workload_find(s->name), "%s (run ci/workload-sizes)",
                           s->name);
    cr_expect_null(workload_size_find("frob"));
}
