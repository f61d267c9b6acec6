/* cmd_record.c - `heapyard record`: record the allocations of a program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h, asprintf, basename of string.h */

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive.h"
#include "commands.h"
#include "numbers.h"
#include "places.h"
#include "preload_check.h"
#include "record_images.h"
#include "record_run.h"

enum { OTHERS_NAMED = 10, LEVEL_PRESET = 9, LEVEL_MAX = 19, WHY_MAX = 5120 };

struct record_args {
    const char *name; /* of this verb, for messages */
    const char *out;  /* NULL: PROGRAM.hyt */
    char **argv;      /* of the program */
    bool keep_spool, children;
    struct archive_order order;
};

enum { KEY_KEEP = 256, KEY_CHILDREN, KEY_LICENCE, KEY_COMMENT };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the archive (default: PROGRAM.hyt)", 0},
    {"children", KEY_CHILDREN, NULL, 0,
     "keep the other processes too, as FILE.PID.hyt", 0},
    {"level", 'l', "N", 0, "zstd level 1..19 (default 9)", 0},
    {"licence", KEY_LICENCE, "TEXT", 0, "goes into the archive", 0},
    {"comment", KEY_COMMENT, "TEXT", 0, "likewise", 0},
    {"keep-spool", KEY_KEEP, NULL, 0, "do not remove the raw records", 0},
    {0},
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct record_args *a = state->input;
    uint64_t level;

    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case 'l':
        if (number_parse(arg, 1, LEVEL_MAX, &level))
            argp_error(state, "--level = %s (want 1..%d)", arg, LEVEL_MAX);
        a->order.level = (int)level;
        return 0;
    case KEY_CHILDREN:
        a->children = true;
        return 0;
    case KEY_KEEP:
        a->keep_spool = true;
        return 0;
    case KEY_LICENCE:
        a->order.licence = arg;
        return 0;
    case KEY_COMMENT:
        a->order.comment = arg;
        return 0;
    case ARGP_KEY_ARG:
        a->argv = &state->argv[state->next - 1];
        state->next = state->argc; /* the rest is the program's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "want a PROGRAM to run");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    "-- PROGRAM [ARG...]",
    "Run a program and record what it asks of malloc, with the allocator it "
    "has, into an archive that every other verb plays.\v"
    "The program keeps its standard input and output; the closing lines go to "
    "standard error. Ctrl-C ends the program and keeps what was recorded; "
    "pressed again, it gives up.\n\n"
    "The program that was started becomes FILE. If it went on as another by "
    "exec (a shell script that ends in exec, env, nice), FILE is the part "
    "with the most records. Other processes are named at the end, and kept "
    "with --children: FILE.PID.hyt, or FILE.PID.N.hyt for the N-th program "
    "that a process went on as. A process that is still running when the "
    "program ends is not kept: run servers in the foreground.\n\n"
    "Recorded are malloc, calloc, realloc, reallocarray, free, "
    "posix_memalign, aligned_alloc, memalign, valloc and pvalloc, of all "
    "threads, with the start and join of threads. Not recorded: allocators "
    "inside the program (statically linked ones, pools), C++ new and delete "
    "where a preloaded or linked allocator defines them itself, and mmap. "
    "While the program runs its raw records (8 bytes or more an event) lie in "
    "a folder beside FILE. If the disk is full, recording stops and the "
    "program goes on.\n\n"
    "Exit code: 0 if FILE was written, whatever became of the program (the "
    "closing lines say it); 1 if there was nothing to record; 2 for a program "
    "that cannot be recorded; 3 if the machine failed us (after a full disk "
    "FILE ends early); 130 for Ctrl-C while the archive was written.\n\n"
    "Examples:\n"
    "  heapyard record -- sqlite3 shop.db '.read shop.sql'\n"
    "  heapyard record -o build.hyt --children -- make\n"
    "  heapyard bench --workload sqlite3.hyt",
    NULL,
    NULL,
    NULL};

/* ---- the spool folder ---- */

/* Make FILE.spool-XXXXXX and give its absolute path, for programs that
 * change their folder; NULL if that fails. */
static char *spool_make(const struct record_args *a)
{
    char *made = NULL, *path = NULL;

    if (asprintf(&made, "%s.spool-XXXXXX", a->out) < 0)
        return NULL;
    if (mkdtemp(made))
        path = realpath(made, NULL);
    if (!path)
        fprintf(stderr, "%s: %s: %s\n", a->name, made, strerror(errno));
    free(made);
    return path;
}

static void spool_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(path);
}

/* ---- the closing lines ---- */

static void print_status(const struct record_args *a,
                         const struct recorded_run *run)
{
    fprintf(stderr, "%s: %s ", a->name, a->argv[0]);
    if (WIFSIGNALED(run->status))
        fprintf(stderr, "was ended by signal %d (%s)", WTERMSIG(run->status),
                strsignal(WTERMSIG(run->status)));
    else
        fprintf(stderr, "ended with exit code %d", WEXITSTATUS(run->status));
    fprintf(stderr, "; CPU time %.2f s user, %.2f s system\n", run->user_s,
            run->system_s);
}

static void print_oddities(const struct spool_counts *c)
{
    if (c->implicit_frees)
        fprintf(stderr,
                "  implied       %" PRIu64
                " frees that were not seen (the address came again)\n",
                c->implicit_frees);
    if (c->unknown_frees || c->unknown_resizes)
        fprintf(stderr,
                "  left out      %" PRIu64 " frees of blocks whose birth was "
                "not seen; %" PRIu64 " resizes became births\n",
                c->unknown_frees, c->unknown_resizes);
    if (c->dropped_bytes || c->lost_chunks)
        fprintf(stderr,
                "  lost          %" PRIu64 " bytes of records, %" PRIu64
                " chunks\n",
                c->dropped_bytes, c->lost_chunks);
    if (c->late_stamps || c->stray_marks)
        fprintf(stderr,
                "  out of order  %" PRIu64 " stamps, %" PRIu64
                " spawns or joins\n",
                c->late_stamps, c->stray_marks);
}

static void print_archived(const struct archived *r, const char *path)
{
    const struct spool_counts *c = &r->counts;
    uint64_t frees = c->frees + c->implicit_frees;

    fprintf(stderr,
            "  events        %" PRIu64 " (%" PRIu64 " allocations, %" PRIu64
            " frees, %" PRIu64 " resizes)\n",
            r->events, c->allocs, frees, c->resizes);
    fprintf(stderr, "  threads       %u (%.1f %% of frees by another thread)\n",
            r->threads,
            frees ? 100.0 * (double)c->cross_frees / (double)frees : 0.0);
    fprintf(stderr, "  blocks left   %" PRIu64 "\n", c->left_blocks);
    fprintf(stderr, "  allocator     %s\n", r->allocator);
    print_oddities(c);
    fprintf(stderr,
            "  archive       %s: %" PRIu64 " bytes, %.2f an event, made in "
            "%.2f s\n",
            path, r->bytes, (double)r->bytes / (double)r->events, r->seconds);
}

static void print_warnings(const struct record_args *a, const struct image *i)
{
    if (i->stop_errno)
        fprintf(stderr,
                "%s: recording of %s stopped before it ended: %s; what came "
                "later is not in the archive\n",
                a->name, i->program, strerror(i->stop_errno));
    if (i->has_own_new)
        fprintf(stderr,
                "%s: %s uses C++ new and delete, which its allocator defines "
                "itself: they are not in the archive (record it with the C "
                "library's malloc)\n",
                a->name, i->program);
}

/* ---- images ---- */

/* The one to keep of those of the program that was started: the one with the
 * most records, or else one that says why it has none.  NULL: none at all. */
static const struct image *choose_main(const struct image_list *list, pid_t pid)
{
    const struct image *best = NULL;

    for (size_t i = 0; i < list->n; i++) {
        const struct image *image = &list->image[i];
        bool counts = image->bytes > 0 || image->err || image->stop_errno;

        if (image->pid == pid && counts &&
            (!best || image->bytes >= best->bytes))
            best = image;
    }
    return best;
}

/* FILE.hyt -> FILE.PID.hyt */
static void other_path(const struct record_args *a, const struct image *image,
                       char path[PATH_MAX])
{
    size_t n = strlen(a->out), suffix = strlen(ARCHIVE_SUFFIX);

    if (n > suffix && !strcmp(a->out + n - suffix, ARCHIVE_SUFFIX))
        n -= suffix;
    if (image->number)
        snprintf(path, PATH_MAX, "%.*s.%ld.%u%s", (int)n, a->out, image->pid,
                 image->number, ARCHIVE_SUFFIX);
    else
        snprintf(path, PATH_MAX, "%.*s.%ld%s", (int)n, a->out, image->pid,
                 ARCHIVE_SUFFIX);
}

static int keep_main(const struct record_args *a, const struct image *image)
{
    struct archived result;
    char why[WHY_MAX] = "";
    int err = image_archive(image, &a->order, a->out, &result, why, sizeof why);

    if (err && err != EINTR)
        fprintf(stderr, "%s: %s: %s\n", a->name, a->argv[0], why);
    else if (!err)
        print_archived(&result, a->out);
    print_warnings(a, image);
    return err;
}

static int keep_other(const struct record_args *a, const struct image *image)
{
    struct archived result;
    char path[PATH_MAX], why[WHY_MAX] = "";

    other_path(a, image, path);
    int err = image_archive(image, &a->order, path, &result, why, sizeof why);

    if (err == ENODATA)
        return 0;
    if (err && err != EINTR)
        fprintf(stderr, "%s: %s\n", a->name, why);
    else if (!err)
        fprintf(stderr,
                "  also          %s: %s, %" PRIu64 " events, %" PRIu64
                " bytes\n",
                path, image->program, result.events, result.bytes);
    print_warnings(a, image);
    return err;
}

static int keep_others(const struct record_args *a,
                       const struct image_list *list, const struct image *main)
{
    int err = 0;

    for (size_t i = 0; i < list->n && err != EINTR; i++) {
        const struct image *image = &list->image[i];

        if (image == main || image->is_running || !image->bytes)
            continue;
        int other_err = keep_other(a, image);

        err = other_err ? other_err : err;
    }
    return err;
}

/* Say what was recorded and is not kept: how many, and the first of them. */
static void name_others(const struct record_args *a,
                        const struct image_list *list, const struct image *main)
{
    size_t others = 0;

    for (size_t i = 0; i < list->n; i++)
        others += &list->image[i] != main &&
                  (!a->children || list->image[i].is_running);
    if (!others)
        return;
    fprintf(stderr, "  not kept      %zu other program%s%s:", others,
            others > 1 ? "s" : "",
            a->children ? "" : " (--children keeps them)");
    for (size_t i = 0, named = 0; i < list->n && named < OTHERS_NAMED; i++) {
        const struct image *image = &list->image[i];

        if (image == main || (a->children && !image->is_running))
            continue;
        fprintf(stderr, "%s %s (process %ld, %.1f MB%s)", named++ ? "," : "",
                image->program, image->pid, (double)image->bytes / 1e6,
                image->is_running ? ", still running" : "");
    }
    fprintf(stderr, "%s\n", others > OTHERS_NAMED ? ", ..." : "");
}

static int exit_code(int err)
{
    switch (err) {
    case 0:
        return EXIT_GOOD;
    case EINTR:
        return EXIT_STOPPED;
    case ENODATA:
        return EXIT_BAD_RUNS;
    case EINVAL:
    case E2BIG: /* too many threads */
        return EXIT_USAGE;
    default:
        return EXIT_INFRA;
    }
}

static int keep_images(const struct record_args *a,
                       const struct image_list *list, pid_t pid)
{
    const struct image *main = choose_main(list, pid);
    int err = ENODATA;

    if (main)
        err = keep_main(a, main);
    else
        fprintf(stderr,
                "%s: no event recorded: %s did not call malloc through the "
                "dynamic linker (is its allocator linked in statically, or "
                "was LD_PRELOAD taken out of its environment?)\n",
                a->name, a->argv[0]);
    if (a->children && err != EINTR) {
        int other_err = keep_others(a, list, main);

        err = err ? err : other_err;
    }
    if (err != EINTR)
        name_others(a, list, main);
    if (main && main->stop_errno && (!err || err == ENODATA))
        return EXIT_INFRA;
    return exit_code(err);
}

/* ---- the recording ---- */

static int run_and_keep(const struct record_args *a)
{
    struct recorded_run run = {0};
    struct image_list list;
    char why[WHY_MAX] = "";
    int err = record_run(a->argv, places_recorder(), a->order.spool, &run, why,
                         sizeof why);

    if (err) {
        fprintf(stderr, "%s: %s\n", a->name, why);
        return EXIT_INFRA;
    }
    print_status(a, &run);
    err = image_list_read(a->order.spool, &list, why, sizeof why);
    if (err)
        fprintf(stderr, "%s: %s\n", a->name, why);
    int code = err ? EXIT_INFRA : keep_images(a, &list, run.pid);

    image_list_free(&list);
    if (code == EXIT_STOPPED)
        fprintf(stderr, "%s: stopped, %s was not written\n", a->name, a->out);
    return code;
}

static int check(const struct record_args *a)
{
    char why[WHY_MAX] = "";
    const char *recorder = places_recorder();

    if (preload_check(a->argv[0], why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", a->name, why);
        return EXIT_USAGE;
    }
    if (access(recorder, R_OK)) {
        fprintf(stderr, "%s: the recorder %s: %s\n", a->name, recorder,
                strerror(errno));
        return EXIT_INFRA;
    }
    if (strpbrk(recorder, ": ")) {
        fprintf(stderr,
                "%s: the recorder %s: LD_PRELOAD cannot carry a path with a "
                "colon or a space in it\n",
                a->name, recorder);
        return EXIT_INFRA;
    }
    return EXIT_GOOD;
}

int cmd_record(int argc, char **argv)
{
    struct record_args a = {.name = argv[0], .order.level = LEVEL_PRESET};
    char out[NAME_MAX + 1];

    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
    if (!a.out) {
        snprintf(out, sizeof out, "%s%s", basename(a.argv[0]), ARCHIVE_SUFFIX);
        a.out = out;
    }
    int code = check(&a);

    if (code)
        return code;
    record_hold_signals();
    char *spool = spool_make(&a);

    if (!spool)
        return EXIT_INFRA;
    a.order.spool = spool;
    code = run_and_keep(&a);
    if (a.keep_spool)
        fprintf(stderr, "  raw records   %s\n", spool);
    else
        spool_remove(spool);
    free(spool);
    return code;
}
