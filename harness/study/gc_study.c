/* gc_study.c - the stages of a study of collectors, in a folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_study.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collections.h"
#include "blocks.h"
#include "progress.h"

enum {
    START = 16 * 1024 * 1024, /* bytes: if nothing was ever collected */
    MIN_HEAP_SLOWDOWN = 20
};

static int fail(struct gc_study *s, int err, const char *what)
{
    snprintf(s->why, sizeof s->why, "%.400s: %s", what, strerror(err));
    return err;
}

/* ---- minimum heaps ---- */

struct hunt {
    struct gc_study *study;
    struct probe *probe;
    const char *collector;
    struct progress progress;
};

static void show_bytes(double bytes, char text[32])
{
    struct scale scale = scale_for_bytes(bytes);

    snprintf(text, 32, "%.*f %s", decimals_short(bytes / scale.divisor),
             bytes / scale.divisor, scale.unit);
}

/* Out of memory, or so near to it that it does not come to an end. */
static int is_too_small(const struct outcome *o)
{
    return o->status == STATUS_NOMEM || o->status == STATUS_TIMEOUT;
}

/* It fits if each of a few runs is well: whether a collector finds enough may
 * hang on what its stack happens to hold. */
static int try_limit(void *arg, uint64_t limit, int *fits)
{
    struct hunt *h = arg;
    struct gc_study *s = h->study;
    char allocator[SPEC_NAME_MAX], bytes[32], what[128];
    const int runs = s->is_quick ? 1 : 2;
    int err = gc_collector_limit(h->collector, limit, allocator);

    show_bytes((double)limit, bytes);
    snprintf(what, sizeof what, "does %.60s run in %s?", h->collector, bytes);
    progress_show(&h->progress, what);
    *fits = 1;
    for (int i = 0; i < runs && !err && *fits; i++) {
        struct outcome o;

        err = probe_run(h->probe, allocator, "time", &o, s->why, sizeof s->why);
        *fits = o.status == STATUS_OK;
        if (!err && !*fits && !is_too_small(&o)) {
            snprintf(s->why, sizeof s->why, "%.200s: %s: %.159s", allocator,
                     status_name(o.status), o.note);
            err = EBADMSG;
        }
        outcome_free(&o);
    }
    progress_step(&h->progress);
    return err;
}

static void say_found(const struct hunt *h, const struct min_heap *m)
{
    char fits[32], not [32];

    show_bytes((double)m->fits, fits);
    show_bytes((double)m->too_small, not );
    progress_clear(&h->progress);
    fprintf(stderr, "%s: %s runs in %s%s%s (%u limits tried)\n", h->study->verb,
            h->collector, fits,
            m->too_small ? ", not in " : ", its least limit",
            m->too_small ? not : "", m->tries);
}

/* A heap that makes it so many times slower counts as too small: near the
 * limit some collectors collect on and on before they give up. */
static void bound_time(struct hunt *h, double wall_ns)
{
    const uint32_t most = h->study->spec->timeout_s;
    double seconds = 2 + MIN_HEAP_SLOWDOWN * wall_ns * 1e-9;

    h->probe->run.timeout_s = seconds < most ? (uint32_t)seconds : most;
}

/* *use: it can be used here. */
static int begin_hunt(struct hunt *h, struct min_heap_search *search, int *use)
{
    struct gc_study *s = h->study;
    struct outcome o;
    int err =
        probe_run(h->probe, h->collector, "gc", &o, s->why, sizeof s->why);
    double used = err ? (double)NAN : probe_value(&o, "heap_max");

    *use = o.status == STATUS_OK;
    if (!err && *use)
        bound_time(h, probe_value(&o, "wall"));
    search->start = used > 0 ? (uint64_t)used : START;
    if (!err && o.status == STATUS_SKIP) {
        fprintf(stderr, "%s: without %s: %s\n", s->verb, h->collector, o.note);
    } else if (!err && !*use) {
        snprintf(s->why, sizeof s->why, "%.200s, without a limit: %s: %.159s",
                 h->collector, status_name(o.status), o.note);
        err = EBADMSG;
    }
    outcome_free(&o);
    return err;
}

static int find_one(struct gc_study *s, struct probe *probe,
                    const char *collector)
{
    struct hunt h = {s, probe, collector, {0}};
    struct min_heap_search search = {
        .precision = s->is_quick ? 1.1 : 1.04, .try = try_limit, .arg = &h};
    struct min_heap m;
    int use = 0;
    int err =
        gc_collector_check(collector, &search.least, s->why, sizeof s->why);

    probe->run.timeout_s = s->spec->timeout_s;
    if (!err)
        err = begin_hunt(&h, &search, &use);
    if (err || !use)
        return err;
    progress_start(&h.progress, 0);
    err = min_heap_find(&search, &m);
    progress_clear(&h.progress);
    if (err == ERANGE)
        snprintf(s->why, sizeof s->why, "%.200s does not run in any limit",
                 collector);
    if (err)
        return err;
    say_found(&h, &m);
    err = gc_arms_add(&s->arms, collector, &m, s->factor, s->nfactors);
    return err ? fail(s, err, "too many collectors or factors") : 0;
}

int gc_study_heaps(struct gc_study *s)
{
    struct probe probe;
    int err = probe_open(&probe, s->spec, s->folder, s->why, sizeof s->why);

    if (err)
        return err;
    for (unsigned i = 0; i < s->spec->allocators.n && !err; i++)
        err = find_one(s, &probe, s->spec->allocators.item[i]);
    probe_close(&probe);
    if (!err && s->arms.n == 0) {
        snprintf(s->why, sizeof s->why, "no collector can be used here");
        err = EINVAL;
    }
    if (!err)
        err = gc_arms_add_freed(&s->arms);
    return err;
}

/* ---- the plan ---- */

static int is_freed(const struct gc_arms *arms, const char *allocator)
{
    for (size_t i = 0; i < arms->n; i++)
        if (!strcmp(arms->arm[i].allocator, allocator))
            return !arms->arm[i].collector[0];
    return 0;
}

static void drop_needless(struct gc_study *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->plan.n; i++) {
        struct plan_run *run = &s->plan.runs[i];

        if (!strcmp(run->meter, "gc") && is_freed(&s->arms, run->allocator))
            continue; /* it would be a skip */
        s->plan.runs[kept] = *run;
        s->plan.runs[kept].run = (uint32_t)kept + 1;
        kept++;
    }
    s->plan.n = kept;
}

int gc_study_plan(struct gc_study *s)
{
    static const char *const meters[] = {"time", "memory", "gc"};
    struct spec *spec = malloc(sizeof *spec);

    if (!spec)
        return fail(s, ENOMEM, "plan");
    *spec = *s->spec;
    spec->allocators.n = 0;
    for (size_t i = 0; i < s->arms.n; i++)
        snprintf(spec->allocators.item[spec->allocators.n++], SPEC_NAME_MAX,
                 "%s", s->arms.arm[i].allocator);
    spec->meters.n = 0;
    for (size_t i = 0; i < sizeof meters / sizeof *meters; i++)
        snprintf(spec->meters.item[spec->meters.n++], SPEC_NAME_MAX, "%s",
                 meters[i]);
    int err = plan_expand(spec, &s->plan, s->why, sizeof s->why);

    if (!err)
        drop_needless(s);
    free(spec);
    return err;
}

/* ---- the log ---- */

/* Add the rows of one run's file to the study's. */
static int copy_rows(struct gc_study *s, const char *from,
                     const char *allocator, FILE *to)
{
    struct collections rows;
    int err = collections_read(from, &rows, s->why, sizeof s->why);

    for (size_t i = 0; i < rows.n && !err; i++) {
        snprintf(rows.row[i].allocator, sizeof rows.row[i].allocator, "%s",
                 allocator);
        err = collections_write(to, &rows.row[i]);
    }
    collections_free(&rows);
    return err;
}

static int log_one(struct gc_study *s, struct probe *probe,
                   const char *allocator, FILE *to)
{
    char path[] = "/tmp/heapyard-gc-XXXXXX", meter[64];
    struct outcome o;
    int fd = mkstemp(path);

    if (fd < 0)
        return fail(s, errno, path);
    close(fd);
    snprintf(meter, sizeof meter, "gc:log=%s", path);
    int err = probe_run(probe, allocator, meter, &o, s->why, sizeof s->why);

    if (!err && o.status == STATUS_OK)
        err = copy_rows(s, path, allocator, to);
    outcome_free(&o);
    unlink(path);
    return err;
}

static int log_all(struct gc_study *s, struct probe *probe, const int ok[],
                   FILE *to)
{
    struct progress progress;
    char what[128];
    int err = collections_write_header(to);

    progress_start(&progress, s->arms.n);
    for (size_t i = 0; i < s->arms.n && !err; i++) {
        const struct gc_arm *arm = &s->arms.arm[i];

        snprintf(what, sizeof what, "collections of %.80s", arm->allocator);
        progress_show(&progress, what);
        if (arm->collector[0] && ok[i])
            err = log_one(s, probe, arm->allocator, to);
        progress_step(&progress);
    }
    progress_clear(&progress);
    return err;
}

int gc_study_log(struct gc_study *s, const int ok[])
{
    struct probe probe;
    char path[4200];
    int err = probe_open(&probe, s->spec, s->folder, s->why, sizeof s->why);

    if (err)
        return err;
    snprintf(path, sizeof path, "%.4000s/collections.csv", s->folder);
    FILE *f = fopen(path, "w");

    err = f ? log_all(s, &probe, ok, f) : fail(s, errno, path);
    if (f && fclose(f) && !err)
        err = fail(s, errno, path);
    probe_close(&probe);
    return err;
}
