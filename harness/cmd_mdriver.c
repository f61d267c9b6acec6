/* cmd_mdriver.c - `heapyard mdriver`: a malloc lab solution, looked at closely.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "carry_out.h"
#include "commands.h"
#include "malloclab.h"
#include "mdriver.h"
#include "numbers.h"
#include "places.h"

enum { KEY_ALIGN = 256, KEY_HEAP, KEY_TIMEOUT, KEY_MAPS, TEXT_SIZE = 1024 };

struct mdriver_args {
    struct mdriver m;
    const char *traces, *out;
    char allocators[TEXT_SIZE]; /* cut at its commas */
    int all_maps;
};

static const struct argp_option options[] = {
    {"solution", 's', "FILE.c", 0, "the solution: mm_init, mm_malloc, …", 0},
    {"traces", 't', "DIR|FILE", 0,
     "play these .rep files (default: a set of our own)", 0},
    {"allocators", 'a', "NAMES", 0,
     "what to compare with (default: system,slab,buddy,pool)", 0},
    {"align", KEY_ALIGN, "BYTES", 0,
     "alignment that every block must have: 8 (default) or 16", 0},
    {"heap", KEY_HEAP, "BYTES", 0,
     "most that mem_sbrk gives (default 100m; 20m in the book)", 0},
    {"timeout", KEY_TIMEOUT, "S", 0, "seconds a trace may take (default 10)",
     0},
    {"maps", KEY_MAPS, NULL, 0,
     "show the heap over time of every trace, not only the one that is used "
     "worst",
     0},
    {"out", 'o', "FOLDER", 0, "write samples.csv and the maps as SVG there", 0},
    {0},
};

static void take_allocators(struct argp_state *state, const char *list)
{
    struct mdriver_args *a = state->input;
    char *rest = a->allocators, *name;

    if (strlen(list) >= sizeof a->allocators)
        argp_error(state, "--allocators: too long");
    strcpy(a->allocators, list);
    a->m.nallocators = 1;
    while ((name = strtok_r(rest, ",", &rest))) {
        if (a->m.nallocators == MDRIVER_ALLOCATORS ||
            strlen(name) >= SPEC_NAME_MAX)
            argp_error(state, "--allocators = %s (want at most %d names)", list,
                       MDRIVER_ALLOCATORS - 1);
        a->m.allocator[a->m.nallocators++] = name;
    }
}

static void take_solution(struct argp_state *state, const char *path)
{
    struct mdriver_args *a = state->input;
    enum { KNOBS_ROOM = 40 };

    if (!malloclab_is_source(path, strlen(path)) || strchr(path, ':') ||
        strlen(path) > SPEC_NAME_MAX - KNOBS_ROOM)
        argp_error(state,
                   "--solution = %s (want a FILE.c without ':', of at most %d "
                   "bytes)",
                   path, SPEC_NAME_MAX - KNOBS_ROOM);
    a->m.solution = a->m.allocator[0] = path;
}

static void take_number(struct argp_state *state, int key, const char *arg)
{
    struct mdriver_args *a = state->input;
    uint64_t n;

    if (key == KEY_TIMEOUT) {
        if (number_parse(arg, 1, 86400, &n))
            argp_error(state, "--timeout = %s (want 1..86400)", arg);
        a->m.timeout_s = (unsigned)n;
    } else {
        if (number_parse(arg, 8, 16, &n) || n % 8)
            argp_error(state, "--align = %s (want 8 or 16)", arg);
        a->m.align = (unsigned)n;
    }
}

/* As the backend's knob takes it. */
static void take_heap(struct argp_state *state, const char *arg)
{
    struct mdriver_args *a = state->input;
    struct knob_values values;
    char text[64], why[256];

    snprintf(text, sizeof text, "heap=%.32s", arg);
    if (strlen(arg) > 16 || strchr(arg, ':') ||
        knobs_parse("heap", malloclab_allocator.knobs, text, &values, why,
                    sizeof why))
        argp_error(state, "--heap = %s (want 64k to 900g)", arg);
    a->m.heap = arg;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct mdriver_args *a = state->input;

    switch (key) {
    case 's':
        take_solution(state, arg);
        return 0;
    case 't':
        a->traces = arg;
        return 0;
    case 'a':
        take_allocators(state, arg);
        return 0;
    case KEY_HEAP:
        take_heap(state, arg);
        return 0;
    case KEY_ALIGN:
    case KEY_TIMEOUT:
        take_number(state, key, arg);
        return 0;
    case KEY_MAPS:
        a->all_maps = 1;
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->m.solution)
            argp_error(state, "want a --solution FILE.c");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    NULL,
    "Compile a solution of the CS:APP malloc lab, check and score it, and show "
    "what the lab's own driver does not: where the heap is lost, what calls "
    "take, the heap over time, and all that beside other allocators.\v"
    "FILE.c defines mm_init, mm_malloc, mm_free, mm_realloc (and mm_calloc, "
    "if it likes) and includes mm.h and memlib.h, its own or those that come "
    "with Heapyard; it is built with -DDRIVER, as later handouts ask for. Each "
    "trace is played in a child of its own, so a crash or an endless loop "
    "costs that trace only and is reported with the operation and its line in "
    "the .rep file.\n\n"
    "The first play checks alignment, bounds, overlap and contents. Then the "
    "trace is played again on a warm heap and the best pass counts, as in the "
    "lab. Any other verb takes the solution as an allocator too.\n\n"
    "Exit code 0: every trace is right; 1: one is not, or it does not "
    "compile.\n\n"
    "Examples:\n"
    "  heapyard mdriver --solution mm.c\n"
    "  heapyard mdriver --solution mm.c --traces traces/ --align 16 --out lab\n"
    "  heapyard mdriver -s mm.c -t short1.rep -a system,jemalloc --maps\n"
    "  heapyard bench --allocator mm.c --workload churn:objects=1000",
    NULL,
    NULL,
    NULL};

/* ---- the traces ---- */

static int complain(const struct mdriver *m, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", m->verb, what, why);
    return EXIT_USAGE;
}

static int read_traces(struct mdriver *m, const glob_t *found)
{
    char why[640];

    m->trace = calloc(found->gl_pathc, sizeof *m->trace);
    if (!m->trace)
        return EXIT_INFRA;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        const int err =
            lab_trace_read(found->gl_pathv[i], &m->trace[i], why, sizeof why);

        m->ntraces++;
        if (!err)
            continue;
        fprintf(stderr, "%s: %s\n", m->verb, why);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

/* A folder stands for its .rep files, in the order of their names. */
static int find_traces(const struct mdriver *m, const char *path, glob_t *found)
{
    char pattern[4096];
    struct stat info;

    if (stat(path, &info))
        return complain(m, path, strerror(errno));
    const int is_folder = S_ISDIR(info.st_mode);
    const int n = snprintf(pattern, sizeof pattern, "%s%s", path,
                           is_folder ? "/*.rep" : "");

    if (n < 0 || (size_t)n >= sizeof pattern)
        return complain(m, path, strerror(ENAMETOOLONG));
    if (glob(pattern, is_folder ? 0 : GLOB_NOCHECK | GLOB_NOESCAPE, NULL,
             found))
        return complain(m, path, "no .rep file");
    return EXIT_GOOD;
}

/* ---- the verb ---- */

static int build(struct mdriver *m)
{
    const int err = solution_make(m->solution, true, &m->made);

    if (err && err != EBADMSG) { /* the log is one line of ours */
        fprintf(stderr, "%s: %s\n", m->verb, m->made.log);
        return EXIT_USAGE;
    }
    printf("%s\n%s", m->made.command, m->made.log);
    if (err) {
        if (!strchr(m->made.log, '\n'))
            putchar('\n');
        fflush(stdout);
        fprintf(stderr, "%s: %s: does not compile\n", m->verb, m->solution);
        return EXIT_BAD_RUNS;
    }
    putchar('\n');
    return EXIT_GOOD;
}

static int play_and_tell(struct mdriver_args *a)
{
    struct mdriver *m = &a->m;

    m->cell = calloc(m->ntraces * m->nallocators, sizeof *m->cell);
    if (!m->cell)
        return EXIT_INFRA;
    fflush(stdout);
    int code = mdriver_play(m);
    if (code)
        return code;
    mdriver_print(m, a->all_maps, stdout);
    if (a->out)
        code = mdriver_save(m, a->out);
    return code ? code : mdriver_is_right(m) ? EXIT_GOOD : EXIT_BAD_RUNS;
}

static void release(struct mdriver *m)
{
    for (size_t i = 0; m->cell && i < m->ntraces * m->nallocators; i++)
        outcome_free(&m->cell[i].outcome);
    for (size_t i = 0; i < m->ntraces; i++)
        lab_trace_free(&m->trace[i]);
    free(m->cell);
    free(m->trace);
}

int cmd_mdriver(int argc, char **argv)
{
    struct mdriver_args a = {
        .m = {.verb = argv[0],
              .allocator = {NULL, "system", "slab", "buddy", "pool"},
              .nallocators = 5,
              .align = 8,
              .timeout_s = 10,
              .heap = "100m"},
    };
    char own[4096];
    glob_t found = {0};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    snprintf(own, sizeof own, "%s/malloclab", places_traces());
    int code = find_traces(&a.m, a.traces ? a.traces : own, &found);
    if (!code)
        code = read_traces(&a.m, &found);
    if (!code)
        code = build(&a.m);
    carry_out_catch_signals();
    if (!code)
        code = play_and_tell(&a);
    release(&a.m);
    globfree(&found);
    return code;
}
