/* record_images.c - the images in a spool folder, and archives made of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* basename of string.h */

#include "record_images.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "archive.h"
#include "environment.h"
#include "places.h"
#include "preload_check.h"
#include "record_run.h"

enum { STOP_CHECK_OPS = 65536, COMMAND_SHOWN = 1024 };

/* ---- the list ---- */

/* "PID.N.bufs" -> pid, number, name */
static bool read_name(const char *file, struct image *image)
{
    int end = 0;

    if (sscanf(file, "%ld.%u.bufs%n", &image->pid, &image->number, &end) != 2 ||
        !end || file[end] || strlen(file) >= IMAGE_NAME_MAX)
        return false;
    snprintf(image->name, sizeof image->name, "%ld.%u", image->pid,
             image->number);
    return true;
}

static void read_image(const char *folder, struct image *image)
{
    struct spool *spool;
    char why[256];

    image->is_running = !kill((pid_t)image->pid, 0);
    image->err = spool_open(folder, image->name, &spool, why, sizeof why);
    if (image->err)
        return;
    const struct spool_about *about = spool_about(spool);

    snprintf(image->program, sizeof image->program, "%s",
             about->program[0] ? basename(about->program) : "?");
    image->bytes = about->bytes;
    image->stop_errno = about->stop_errno;
    image->has_own_new =
        about->has_own_new && preload_names(about->program, "_Znwm");
    spool_close(spool);
}

static int compare_images(const void *a, const void *b)
{
    const struct image *x = a, *y = b;

    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int append_image(struct image_list *list, const struct image *image)
{
    struct image *bigger = list->image;

    if ((list->n & (list->n - 1)) == 0) /* 0, 1, 2, 4, 8 … are full */
        bigger = realloc(bigger, (list->n ? list->n * 2 : 1) * sizeof *bigger);
    if (!bigger)
        return ENOMEM;
    list->image = bigger;
    list->image[list->n++] = *image;
    return 0;
}

int image_list_read(const char *folder, struct image_list *out, char *why,
                    size_t why_size)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int err = 0;

    *out = (struct image_list){0};
    if (!dir) {
        err = errno;
        snprintf(why, why_size, "%s: %s", folder, strerror(err));
        return err;
    }
    while (!err && (entry = readdir(dir))) {
        struct image image = {.program = "?"};

        if (!read_name(entry->d_name, &image))
            continue;
        read_image(folder, &image);
        err = append_image(out, &image);
    }
    closedir(dir);
    if (out->n)
        qsort(out->image, out->n, sizeof *out->image, compare_images);
    return err;
}

void image_list_free(struct image_list *list)
{
    free(list->image);
    *list = (struct image_list){0};
}

/* ---- provenance ---- */

struct text {
    char *at;
    size_t size, used;
};

static void add(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(t->at + t->used, t->size - t->used, format, args);
    va_end(args);
    if (n > 0)
        t->used += (size_t)n;
    if (t->used >= t->size)
        t->used = t->size - 1;
}

/* A line of text that the program gave: its bytes are anything. */
static void add_foreign(struct text *t, const char *key, const char *value,
                        size_t max)
{
    add(t, "%s: ", key);
    for (size_t i = 0; value[i] && i < max; i++)
        add(t, "%c", value[i] < ' ' || value[i] > '~' ? '?' : value[i]);
    add(t, "%s\n", strnlen(value, max + 1) > max ? " ..." : "");
}

/* What was not seen or not read: `trace info` lists these lines. */
static void add_counts(struct text *t, const struct archived *a)
{
    const struct spool_counts *c = &a->counts;
    const struct {
        const char *key, *text;
        uint64_t count;
    } faults[] = {
        {"birth-twice", "addresses given out again; the free was not seen",
         c->implicit_frees},
        {"free-unknown", "frees of blocks whose birth was not seen, left out",
         c->unknown_frees},
        {"resize-unknown",
         "resizes of blocks whose birth was not seen, now births",
         c->unknown_resizes},
        {"cut-tail", "bytes of records cut short or damaged, left out",
         c->dropped_bytes},
        {"lost", "chunks of records lost", c->lost_chunks},
        {"clock-back", "times that go back", c->late_stamps},
        {"stray-thread", "starts and ends that fit no thread", c->stray_marks},
    };

    add(t, "events: %" PRIu64 "\nthreads: %u\n", a->events, a->threads);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].count)
            add(t, "record-fault: %s %" PRIu64 " %s\n", faults[i].key,
                faults[i].count, faults[i].text);
}

static void provenance(struct text *t, const struct image *image,
                       const struct spool_about *about,
                       const struct archive_order *order,
                       const struct archived *archived)
{
    char machine[512], date[32];

    environment_line(machine, sizeof machine);
    environment_date(date, sizeof date);
    add_foreign(t, "program", image->program, SPOOL_TEXT);
    add_foreign(t, "command", about->command, COMMAND_SHOWN);
    if (about->is_forked)
        add(t, "process: a fork child; what it had from its parent is not "
               "in this trace\n");
    add(t, "date: %s\n", date);
    add(t, "machine: %s\n", machine);
    add_foreign(t, "allocator", about->allocator, SPOOL_TEXT);
    add(t, "recorder: heapyard %s\n", places_version());
    if (order->licence)
        add(t, "licence: %s\n", order->licence);
    if (order->comment)
        add(t, "comment: %s\n", order->comment);
    if (about->stop_errno)
        add(t, "truncated: recording stopped before the program: %s\n",
            strerror(about->stop_errno));
    if (image->has_own_new)
        add(t, "not-recorded: C++ new and delete, which this allocator "
               "defines itself\n");
    add_counts(t, archived);
}

/* ---- archives ---- */

/* Counts, passes on if there is somebody to pass to, and looks up from time
 * to time whether the user wants to stop. */
struct counting_sink {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *next;
    uint64_t ops;
};

static int counting_put(struct op_sink *sink, const struct op *op)
{
    struct counting_sink *c = (struct counting_sink *)sink;

    if (++c->ops % STOP_CHECK_OPS == 0 && record_is_stopped())
        return EINTR;
    return c->next ? c->next->put(c->next, op) : 0;
}

static int play(const struct spool *spool, struct op_sink *next)
{
    struct counting_sink sink = {.sink.put = counting_put, .next = next};

    return spool_source(spool)->play(spool_source(spool), &sink.sink);
}

static int write_archive(const struct spool *spool, const char *path,
                         const char *text, int level)
{
    struct archive_writer *writer;
    int err = archive_create(path, text, level, &writer);

    if (err)
        return err;
    err = play(spool, archive_sink(writer));
    if (!err)
        return archive_commit(writer);
    archive_abandon(writer);
    return err;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int archive_image(const struct spool *spool, const struct image *image,
                         const struct archive_order *order, const char *path,
                         struct archived *out)
{
    char text[ARCHIVE_PROVENANCE_MAX];
    struct text t = {text, sizeof text, 0};
    struct stat st;
    int err = play(spool, NULL);

    if (err)
        return err;
    out->counts = *spool_counts(spool);
    out->threads = spool_about(spool)->threads;
    out->events = out->counts.allocs + out->counts.frees +
                  out->counts.implicit_frees + out->counts.resizes;
    snprintf(out->allocator, sizeof out->allocator, "%s",
             spool_about(spool)->allocator);
    if (!out->counts.allocs)
        return ENODATA;
    provenance(&t, image, spool_about(spool), order, out);
    err = write_archive(spool, path, text, order->level);
    if (!err && !stat(path, &st))
        out->bytes = (uint64_t)st.st_size;
    return err;
}

int image_archive(const struct image *image, const struct archive_order *order,
                  const char *path, struct archived *out, char *why,
                  size_t why_size)
{
    struct spool *spool;
    double start = seconds_now();
    int err = spool_open(order->spool, image->name, &spool, why, why_size);

    *out = (struct archived){0};
    if (err)
        return err;
    err = archive_image(spool, image, order, path, out);
    spool_close(spool);
    out->seconds = seconds_now() - start;
    if (err == ENODATA)
        snprintf(why, why_size, "nothing was recorded");
    else if (err == EINVAL)
        snprintf(why, why_size,
                 "%s: licence or comment is too long, has "
                 "control bytes or is no UTF-8",
                 path);
    else if (err)
        snprintf(why, why_size, "%s: %s", path, strerror(err));
    return err;
}
