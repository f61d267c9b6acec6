/* cmd_heap.c - `heapyard heap`: looks into an allocator's heap, and draws it.
 *
 * The workload is compiled twice: whole, to know its marks, and up to the
 * operation of the mark, to be played.  So every thread stands still where
 * the trace says, and what is live is known exactly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "carry_out.h"
#include "commands.h"
#include "exec.h"
#include "heap_report.h"
#include "mark_at.h"
#include "numbers.h"
#include "op_file.h"
#include "os_pages.h"
#include "places.h"
#include "prepare_child.h"

enum { PATH_ROOM = 4096, TIMEOUT_S = 3600, WHY_SIZE = PATH_ROOM + 512 };

struct heap_args {
    struct trace_request request;
    const char *at, *csv;
    const char *image[2]; /* by enum heap_chart; NULL: none */
    struct plan_run run;
};

enum { KEY_MAP = 256, KEY_HISTOGRAM, KEY_CSV, KEY_AT };

static const struct argp_option options[] = {
    {"workload", 'w', "NAME", 0, "a workload, a recorded trace, or a .hyt file",
     0},
    {"allocator", 'a', "NAME|FILE", 0,
     "a backend, a known library, a .so file, or a malloc lab solution's .c "
     "file (default: system)",
     0},
    {"at", KEY_AT, "MARK", 0,
     "look when this mark of the trace is reached, or at its end (default: "
     "peak, where most bytes are live)",
     0},
    {"threads", 'n', "N", 0, "threads of a composed workload", 0},
    {"seed", 's', "N", 0, "its seed", 0},
    {"scale", 'x', "F", 0, "its length", 0},
    {"touch", 't', "POLICY", 0, "none, byte, page (default), line or full", 0},
    {"map", KEY_MAP, "FILE", 0, "draw the heap by address: .svg or .png", 0},
    {"histogram", KEY_HISTOGRAM, "FILE", 0,
     "draw how full its pages are: .svg or .png", 0},
    {"csv", KEY_CSV, "FILE", 0, "write all figures in long form", 0},
    {0},
};

/* ---- arguments ---- */

static void set_image(struct argp_state *state, enum heap_chart chart,
                      const char *path)
{
    struct heap_args *a = state->input;
    const char *suffix = strrchr(path, '.');
    const char *name = chart == HEAP_MAP ? "map" : "histogram";

    if (!suffix || (strcmp(suffix, ".svg") && strcmp(suffix, ".png")))
        argp_error(state, "--%s = %s (want a FILE.svg or FILE.png)", name,
                   path);
    a->image[chart] = path;
}

static void set_allocator(struct argp_state *state, const char *name)
{
    struct heap_args *a = state->input;

    if (!*name || strlen(name) >= sizeof a->run.allocator)
        argp_error(state, "--allocator = %s (want a name or a path)", name);
    snprintf(a->run.allocator, sizeof a->run.allocator, "%s", name);
}

static void set_workload(struct argp_state *state, const char *name)
{
    struct heap_args *a = state->input;

    if (strlen(name) >= sizeof a->request.workload)
        argp_error(state, "--workload = %s (want at most %d bytes)", name,
                   PREPARE_NAME_MAX - 1);
    snprintf(a->request.workload, sizeof a->request.workload, "%s", name);
}

static void set_number(struct argp_state *state, int key, const char *arg)
{
    struct heap_args *a = state->input;
    uint64_t n;

    if (key == 'n' && number_parse(arg, 1, OP_MAX_THREADS, &n))
        argp_error(state, "--threads = %s (want 1..%d)", arg, OP_MAX_THREADS);
    else if (key == 'n')
        a->request.threads = (unsigned)n;
    else if (key == 's' && number_parse(arg, 0, UINT64_MAX, &a->request.seed))
        argp_error(state, "--seed = %s (want 0..%llu)", arg,
                   (unsigned long long)UINT64_MAX);
    else if (key == 'x' && real_parse(arg, 1e-6, 1e6, &a->request.scale))
        argp_error(state, "--scale = %s (want 0.000001..1000000)", arg);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct heap_args *a = state->input;

    switch (key) {
    case 'w':
        set_workload(state, arg);
        return 0;
    case 'a':
        set_allocator(state, arg);
        return 0;
    case KEY_AT:
        a->at = arg;
        return 0;
    case 'n':
    case 's':
    case 'x':
        set_number(state, key, arg);
        return 0;
    case 't':
        if (touch_parse(arg, &a->run.touch))
            argp_error(state,
                       "--touch = %s (want none, byte, page, line or full)",
                       arg);
        return 0;
    case KEY_MAP:
        set_image(state, HEAP_MAP, arg);
        return 0;
    case KEY_HISTOGRAM:
        set_image(state, HEAP_HISTOGRAM, arg);
        return 0;
    case KEY_CSV:
        a->csv = arg;
        return 0;
    case ARGP_KEY_END:
        if (!*a->request.workload)
            argp_error(state, "want a --workload (see: heapyard list)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    NULL,
    "Play a workload on an allocator up to a mark, stop every thread there, "
    "and show the heap.\v"
    "What is live, and which pages are in memory, is seen from outside, alike "
    "for every allocator.  slab, buddy, pool, arena and mimalloc also show "
    "their spans and free blocks; jemalloc, tcmalloc and the C library say "
    "what they have free by size; tbbmalloc says nothing.  Figures are exact "
    "unless marked as estimates.\n\n"
    "Examples:\n"
    "  heapyard heap --workload server-sim --allocator slab\n"
    "  heapyard heap --workload churn --allocator jemalloc --at drain\n"
    "  heapyard heap -w redis -a mimalloc --map map.svg --histogram pages.svg",
    NULL,
    NULL,
    NULL};

/* ---- the work, in a folder of its own ---- */

struct heap_work {
    const char *verb;
    struct heap_args *args;
    char folder[PATH_ROOM - 64];
    char whole[PATH_ROOM], part[PATH_ROOM], facts[PATH_ROOM], data[PATH_ROOM];
    char at[MARK_AT_SIZE];
    struct heap_origin origin;
};

static int complain(const struct heap_work *w, const char *why, int code)
{
    fprintf(stderr, "%s: %s\n", w->verb, why);
    return code;
}

static int open_folder(struct heap_work *w)
{
    snprintf(w->folder, sizeof w->folder, "%s/heapyard-heap-XXXXXX",
             op_file_folder());
    if (!mkdtemp(w->folder)) {
        fprintf(stderr, "%s: %s: %s\n", w->verb, w->folder, strerror(errno));
        return EXIT_INFRA;
    }
    snprintf(w->whole, sizeof w->whole, "%s/whole.hyr", w->folder);
    snprintf(w->part, sizeof w->part, "%s/part.hyr", w->folder);
    snprintf(w->facts, sizeof w->facts, "%s/facts", w->folder);
    snprintf(w->data, sizeof w->data, "%s/chart.tsv", w->folder);
    return EXIT_GOOD;
}

/* Leaves errno alone: of a standard output that failed, main says it. */
static void close_folder(const struct heap_work *w)
{
    const int saved = errno;

    unlink(w->whole);
    unlink(w->part);
    unlink(w->facts);
    unlink(w->data);
    rmdir(w->folder);
    errno = saved;
}

/* Exit codes of preparing: the user's to mend, or the machine's doing. */
static int code_of(int err)
{
    if (err == EINTR)
        return EXIT_STOPPED;
    return err == EINVAL || err == ENOENT || err == EBADMSG || err == E2BIG
               ? EXIT_USAGE
               : EXIT_INFRA;
}

static int prepare(const struct heap_work *w, const char *path,
                   struct trace **trace)
{
    char why[WHY_SIZE];
    int err = prepare_in_child(&w->args->request, path, why, sizeof why);

    if (!err)
        err = trace_map(path, trace, why, sizeof why);
    if (!err && (*trace)->native) {
        snprintf(why, sizeof why,
                 "%.100s is a program: it has no mark to stop at (want a "
                 "trace)",
                 w->args->request.workload);
        trace_unmap(*trace);
        *trace = NULL;
        err = EINVAL;
    }
    return err ? complain(w, why, code_of(err)) : EXIT_GOOD;
}

/* ---- the mark ---- */

static int say_marks(const struct heap_work *w, const struct trace *trace)
{
    fprintf(stderr, "%s: --at = %s (want ", w->verb, w->args->at);
    for (unsigned i = 0; i < trace->nmarks; i++) {
        char name[MARK_AT_SIZE];

        mark_at(trace, i, name);
        fprintf(stderr, "%s, ", name + strlen("mark:"));
    }
    fprintf(stderr, "or end)\n");
    return EXIT_USAGE;
}

/* How many operations lead to the mark, it included. */
static int find_mark(struct heap_work *w, const struct trace *trace)
{
    const char *at = w->args->at;
    uint64_t ops = strcmp(at, "end") ? 0 : trace->totals.ops;

    snprintf(w->at, sizeof w->at, "end");
    if (!strncmp(at, "mark:", strlen("mark:")))
        at += strlen("mark:");
    for (unsigned i = 0; i < trace->nmarks && !ops; i++) {
        mark_at(trace, i, w->at);
        if (!strcmp(w->at + strlen("mark:"), at))
            ops = trace->marks[i].place + 1;
    }
    if (!ops)
        return say_marks(w, trace);
    w->args->request.first_ops = ops;
    w->origin.place = ops;
    w->origin.ops = trace->totals.ops;
    return EXIT_GOOD;
}

/* ---- the output ---- */

static int write_csv(const struct heap_work *w, const struct heap_picture *p)
{
    const char *path = w->args->csv;
    FILE *f = fopen(path, "w");
    int err = f ? heap_write_csv(&w->origin, p, f) : errno;

    if (f && fclose(f) && !err)
        err = errno;
    if (!err)
        return EXIT_GOOD;
    fprintf(stderr, "%s: %s: %s\n", w->verb, path, strerror(err));
    return EXIT_INFRA;
}

static int draw(const struct heap_work *w, const struct heap_picture *p,
                enum heap_chart chart)
{
    const char *image = w->args->image[chart];
    char why[WHY_SIZE];
    int err = heap_draw(&w->origin, p, chart, image, w->data, places_plots(),
                        why, sizeof why);

    if (err && err != ENOENT && err != EIO)
        fprintf(stderr, "%s: %s: %s\n", w->verb, why, strerror(err));
    else if (err)
        fprintf(stderr, "%s: %s: %s\n", w->verb, image, why);
    return err ? EXIT_INFRA : EXIT_GOOD;
}

static int show(const struct heap_work *w, const struct heap_picture *p)
{
    int code = heap_print(&w->origin, p, stdout) ? EXIT_INFRA : EXIT_GOOD;

    if (fflush(stdout) && !code)
        code = EXIT_INFRA; /* main says so */
    if (!code && w->args->csv)
        code = write_csv(w, p);
    for (unsigned k = 0; k < 2 && !code; k++)
        if (w->args->image[k])
            code = draw(w, p, (enum heap_chart)k);
    return code;
}

static int read_facts(const struct heap_work *w)
{
    struct heap_picture picture;
    struct stat file;
    const int fd = open(w->facts, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 || fstat(fd, &file) ? errno : 0;
    size_t bytes = err ? 0 : (size_t)file.st_size;
    void *facts = MAP_FAILED;

    if (!err && bytes)
        facts = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (facts == MAP_FAILED && !err)
        err = bytes ? errno : ENODATA;
    if (fd >= 0)
        close(fd);
    if (err)
        return complain(w, strerror(err), EXIT_INFRA);
    err = picture_open(facts, bytes / sizeof(struct heap_fact), os_page_size(),
                       &picture);
    int code = err ? complain(w, strerror(err), EXIT_INFRA) : show(w, &picture);
    picture_close(&picture);
    munmap(facts, bytes);
    return code;
}

/* ---- the run ---- */

static int play_and_show(struct heap_work *w, const struct trace *trace)
{
    struct plan_run *run = &w->args->run;
    struct outcome outcome;

    run->run = run->block = 1;
    run->trace = w->args->request;
    run->facts = w->facts;
    w->origin.threads = trace->threads;
    int err = exec_run(run, w->part, trace, &outcome);
    int code = EXIT_GOOD;

    w->origin.served_by = outcome.served_by;
    if (err)
        code = err == EINTR ? EXIT_STOPPED
                            : complain(w, strerror(err), EXIT_INFRA);
    else if (outcome.status == STATUS_SKIP)
        code = complain(w, outcome.note, EXIT_USAGE);
    else if (outcome.status != STATUS_OK) {
        fprintf(stderr, "%s: %s: %s\n", w->verb, status_name(outcome.status),
                outcome.note);
        code = EXIT_BAD_RUNS;
    } else {
        code = read_facts(w);
    }
    outcome_free(&outcome);
    return code;
}

static int work(struct heap_work *w)
{
    struct trace *whole, *part;
    int code = prepare(w, w->whole, &whole);

    if (code)
        return code;
    code = find_mark(w, whole);
    trace_unmap(whole);
    if (!code)
        code = prepare(w, w->part, &part);
    if (code)
        return code;
    code = play_and_show(w, part);
    trace_unmap(part);
    return code;
}

/* Whether the file, or else its folder, may be written.  0 or an errno. */
static int check_writable(const char *path)
{
    char folder[PATH_ROOM];
    const char *slash = strrchr(path, '/');

    if (access(path, W_OK) == 0)
        return 0;
    if (errno != ENOENT)
        return errno;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    return access(*folder ? folder : "/", W_OK | X_OK) ? errno : 0;
}

/* Before the long part, what can be said at once. */
static int check_files(const struct heap_work *w)
{
    const char *const path[] = {w->args->csv, w->args->image[0],
                                w->args->image[1]};

    for (unsigned i = 0; i < 3; i++) {
        const int err = path[i] ? check_writable(path[i]) : 0;

        if (err) {
            fprintf(stderr, "%s: %s: %s\n", w->verb, path[i], strerror(err));
            return EXIT_INFRA;
        }
    }
    return EXIT_GOOD;
}

static int check_allocator(const struct heap_work *w)
{
    const struct allocator *a;
    struct knob_values knobs;
    char why[WHY_SIZE];
    const int err =
        allocator_choose(w->args->run.allocator, &a, &knobs, why, sizeof why);

    if (err == EINVAL)
        return complain(w, why, EXIT_USAGE);
    if (!err && a->traits & TRAIT_OVERLAPPING) {
        fprintf(stderr,
                "%s: --allocator = %s: it hands out overlapping memory by "
                "design and has no heap to look into\n",
                w->verb, a->name);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

int cmd_heap(int argc, char **argv)
{
    struct heap_args args = {
        .request = {.threads = 1, .seed = 1, .scale = 1.0},
        .at = "peak",
        .run = {.allocator = "system",
                .meter = "time",
                .touch = TOUCH_PAGE,
                .window = REPLAY_WINDOW,
                .timeout_s = TIMEOUT_S},
    };
    struct heap_work w = {.verb = argv[0], .args = &args};

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    w.origin = (struct heap_origin){.request = &args.request,
                                    .allocator = args.run.allocator,
                                    .touch = touch_name(args.run.touch),
                                    .at = w.at};
    int code = check_allocator(&w);
    if (!code)
        code = check_files(&w);
    if (!code)
        code = open_folder(&w);
    if (code)
        return code;
    carry_out_catch_signals();
    code = work(&w);
    close_folder(&w);
    return code;
}
