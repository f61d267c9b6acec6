/* child.c - one run, in this process.
 *
 * A foreign allocator is preloaded: the process executes itself once more
 * with LD_PRELOAD, and then proves that the library really serves malloc.
 *
 * Invariant: while the trace is played the harness calls no malloc;
 * tests/cli/no-malloc.sh counts.  (Before, starting threads does.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RTLD_DEFAULT */

#include "child.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_ops.h"
#include "foreign.h"
#include "malloclab.h"
#include "native_request.h"
#include "places.h"

/* Says that the exec with LD_PRELOAD has been done, and for which file. */
#define PRELOADED "HEAPYARD_PRELOADED"

static enum status say(int fd, enum status status, const char *format, ...)
{
    char what[480], line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int n = snprintf(line, sizeof line, "!%s\t%s\n", status_name(status), what);
    if (write(fd, line, (size_t)n) < 0)
        _exit(4);
    return status;
}

static void put_into_environment(const char *path)
{
    const char *old = getenv("LD_PRELOAD");
    char list[2 * PATH_MAX];

    snprintf(list, sizeof list, "%s%s%s", path, old && *old ? ":" : "",
             old ? old : "");
    setenv("LD_PRELOAD", list, 1);
    setenv(PRELOADED, path, 1);
}

/* The source is the allocator's name, without its knobs. */
static enum status make_solution(struct child_config *config, char *why,
                                 size_t why_size)
{
    char source[SOLUTION_PATH];

    snprintf(source, sizeof source, "%.*s",
             (int)strcspn(config->allocator, ":"), config->allocator);
    if (!solution_make(source, false, &config->solution))
        return STATUS_OK;
    solution_first_error(&config->solution, why, (unsigned)why_size);
    return STATUS_ERROR;
}

enum status child_preload(struct child_config *config, char *why,
                          size_t why_size)
{
    const char *done = getenv(PRELOADED);

    const struct allocator *own;
    struct knob_values knobs;

    config->preload_path[0] = 0;
    int err = allocator_choose(config->allocator, &own, &knobs, why, why_size);
    if (!err && own == &malloclab_allocator)
        return make_solution(config, why, why_size);
    if (err != ENOENT)
        return err ? STATUS_ERROR : STATUS_OK;
    if (done)
        return foreign_verify(done, why, why_size) ? STATUS_ERROR : STATUS_OK;
    if (foreign_find(config->allocator, config->preload_path,
                     sizeof config->preload_path, why, why_size))
        return STATUS_SKIP;
    put_into_environment(config->preload_path);
    return STATUS_OK;
}

/* ---- the run ---- */

/* Why this allocator cannot play this trace, or NULL. */
static const char *cannot(const struct child_config *c,
                          const struct allocator *a, const struct trace *t)
{
    if (a->missing)
        return a->missing;
    if (t->threads > 1 && !(a->traits & TRAIT_SHARED))
        return "this allocator serves one thread only";
    if (t->native && c->meter->ops && c->meter->ops != &check_ops)
        return "a native workload has no single operations to stop at";
    if (t->threads > 1 && c->meter->one_thread)
        return c->meter->one_thread;
    if (t->totals.cross_frees && !(a->traits & TRAIT_FOREIGN))
        return "this allocator frees only where it allocated";
    if (a->max_align && t->totals.max_align_log2 < 63 &&
        (size_t)1 << t->totals.max_align_log2 > a->max_align)
        return "the trace wants a larger alignment than it can give";
    if ((c->meter->ops == &check_ops || t->native) &&
        (a->traits & TRAIT_OVERLAPPING))
        return "it hands out overlapping memory by design";
    return NULL;
}

/* How many malloc calls the process has made, if a test counts them. */
static double counted_mallocs(void)
{
    uint64_t (*count)(void);
    void *symbol = dlsym(RTLD_DEFAULT, "heapyard_test_malloc_calls");

    if (!symbol)
        return -1;
    memcpy(&count, &symbol, sizeof count);
    return (double)count();
}

/* Blocks that may be live at once, whatever the skew between threads: what
 * slots and mailboxes can hold. */
static size_t most_blocks(const struct trace *t)
{
    uint64_t most = t->mailboxes;

    for (unsigned i = 0; i < t->threads; i++)
        most += t->thread[i].slots;
    return (size_t)(most < t->totals.allocs ? most : t->totals.allocs);
}

static void mark_hook(void *arg, unsigned mark)
{
    struct run_context *run = arg;

    run->meter->mark(run, mark);
}

static void rest_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->at_rest(run, thread);
}

static void open_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->thread_open(run, thread);
}

static void start_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->thread_start(run, thread);
}

static void stop_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->thread_stop(run, thread);
}

static void begin_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->request_begin(run, thread);
}

static void end_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->request_end(run, thread);
}

static void use_begin_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->use_begin(run, thread);
}

static void use_end_hook(void *arg, unsigned thread)
{
    struct run_context *run = arg;

    run->meter->use_end(run, thread);
}

static enum status replay_and_report(const struct child_config *c,
                                     struct run_context *run)
{
    struct replay_config config = {
        .allocator = run->allocator,
        .heap = run->heap,
        .trace = run->trace,
        .page = run->page,
        .ops = c->meter->ops,
        .touch = c->touch,
        .window = c->window,
        .slices = c->meter->slices,
        .workers_only = c->meter->workers_only,
        .mark = c->meter->mark ? mark_hook : NULL,
        .at_rest = c->meter->at_rest ? rest_hook : NULL,
        .thread_open = c->meter->thread_open ? open_hook : NULL,
        .thread_start = c->meter->thread_start ? start_hook : NULL,
        .thread_stop = c->meter->thread_stop ? stop_hook : NULL,
        .request_begin = c->meter->request_begin ? begin_hook : NULL,
        .request_end = c->meter->request_end ? end_hook : NULL,
        .use_begin = c->meter->use_begin ? use_begin_hook : NULL,
        .use_end = c->meter->use_end ? use_end_hook : NULL,
        .meter = run,
        .result_fd = c->result_fd,
        .own_bytes = c->meter->own_bytes,
        .common = run->checked,
    };
    int err = replay_open(&config, &run->replay);

    if (err)
        return say(c->result_fd, STATUS_ERROR, "cannot set up the replay: %s",
                   strerror(err));
    double mallocs = counted_mallocs();

    replay_run(run->replay, c->meter->start, c->meter->stop);
    if (mallocs >= 0)
        emit_value(run, "malloc_calls", "", "1", counted_mallocs() - mallocs);
    emit_value(run, "trace_hash", "", "1", (double)run->trace->hash);
    c->meter->report(run);
    replay_close(run->replay);
    return say(c->result_fd, STATUS_OK, "");
}

/* That will enter the heap, at most at once. */
static unsigned most_threads(const struct trace *t)
{
    const struct native_request *r = t->native;

    if (!r || !r->workload->own_threads)
        return t->threads;
    return t->threads + r->workload->own_threads(&r->values, r->threads);
}

static enum status run_on_heap(const struct child_config *c,
                               struct run_context *run,
                               const struct knob_values *knobs)
{
    char why[HEAP_WHY_MAX] = "";
    struct heap_config config = {.threads = most_threads(run->trace),
                                 .max_size = run->trace->totals.max_size,
                                 .is_timeless = c->meter->is_timeless,
                                 .knobs = knobs,
                                 .file = c->solution.path,
                                 .why = why};
    int err = run->allocator->open(&config, &run->heap);

    if (!err && c->meter->ops == &check_ops && !run->trace->native)
        err = check_open(most_blocks(run->trace), &run->checked);
    if (!err) {
        run->meter_state = os_pages_map(NULL, c->meter->state_bytes);
        err = run->meter_state ? 0 : ENOMEM;
    }
    if (err)
        return say(c->result_fd, STATUS_ERROR, "%s cannot open a heap: %s",
                   run->allocator->name, *why ? why : strerror(err));
    os_pages_touch(run->meter_state, c->meter->state_bytes);
    const char *reason = c->meter->open ? c->meter->open(run) : NULL;
    enum status status = reason ? say(c->result_fd, STATUS_SKIP, "%s", reason)
                                : replay_and_report(c, run);

    if (run->checked)
        check_close(run->checked);
    run->allocator->close(run->heap);
    return status;
}

static struct shared_page *map_page(int fd)
{
    void *p = mmap(NULL, sizeof(struct shared_page), PROT_READ | PROT_WRITE,
                   fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        return NULL;
    memset(p, 0, sizeof(struct shared_page));
    return p;
}

static void say_served_by(const struct child_config *c,
                          const struct allocator *a)
{
    char served[128], line[160];

    if (c->solution.path[0])
        snprintf(served, sizeof served, "mm.c %.12s", c->solution.hash);
    else if (!(a->traits & TRAIT_PRELOADABLE))
        snprintf(served, sizeof served, "heapyard %s", places_version());
    else
        foreign_served_by(served, sizeof served);
    int n = snprintf(line, sizeof line, "=%s\n", served);

    if (write(c->result_fd, line, (size_t)n) < 0)
        _exit(4);
}

enum status child_run(const struct child_config *c)
{
    struct knob_values knobs;
    struct run_context run = {.meter = c->meter,
                              .options = c->options ? c->options : "",
                              .result_fd = c->result_fd,
                              .facts = c->facts};
    struct trace *trace;
    char why[480];

    if (allocator_choose(c->allocator, &run.allocator, &knobs, why, sizeof why))
        (void)allocator_choose("system", &run.allocator, &knobs, why,
                               sizeof why);
    say_served_by(c, run.allocator);
    int err = trace_map(c->trace, &trace, why, sizeof why);
    if (err)
        return say(c->result_fd, STATUS_ERROR, "%s", why);
    if (c->unlink_trace)
        unlink(c->trace);
    run.trace = trace;
    run.page = map_page(c->page_fd);
    const char *reason = cannot(c, run.allocator, trace);
    enum status status;

    if (!run.page)
        status = say(c->result_fd, STATUS_ERROR, "cannot map the shared page");
    else if (reason)
        status = say(c->result_fd, STATUS_SKIP, "%s: %s", c->allocator, reason);
    else
        status = run_on_heap(c, &run, &knobs);
    trace_unmap(trace);
    return status;
}
