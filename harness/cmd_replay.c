/* cmd_replay.c - `heapyard replay`: one run in this process.
 *
 * The runner starts it for every line of a plan; by hand it is the way to put
 * one run under a debugger, perf or valgrind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h, prctl */

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "arguments.h"
#include "callgrind_requests.h"
#include "child.h"
#include "commands.h"
#include "foreign.h"
#include "heap_facts.h"
#include "numbers.h"
#include "places.h"
#include "prepare.h"
#include "simulate.h"

struct replay_args {
    struct child_config child;
    const char *workload;
    const char *meter; /* with its options */
    struct trace_request request;
    int by_hand;
};

enum { KEY_RESULT = 256, KEY_PAGE, KEY_UNLINK, KEY_FACTS };

static const struct argp_option options[] = {
    {"workload", 'w', "NAME", 0,
     "compose this workload first (or play this .hyt archive)", 0},
    {"trace", 'f', "FILE.hyr", 0, "play this run-time trace instead", 0},
    {"allocator", 'a', "NAME|FILE", 0,
     "a backend, a known library, a .so file, or a malloc lab solution's .c "
     "file (default: system)",
     0},
    {"meter", 'm', "NAME", 0,
     "what to measure (default time; see `heapyard list meters`)", 0},
    {"touch", 't', "POLICY", 0, "none, byte, page (default), line or full", 0},
    {"window", 'W', "OPS", 0,
     "skew window between threads (default 2000; 0: none)", 0},
    {"threads", 'n', "N", 0, "threads of a composed workload", 0},
    {"seed", 's', "N", 0, "its seed", 0},
    {"scale", 'x', "F", 0, "its length", 0},
    {"result-fd", KEY_RESULT, "FD", OPTION_HIDDEN, "used by the runner", 0},
    {"page-fd", KEY_PAGE, "FD", OPTION_HIDDEN, "used by the runner", 0},
    {"facts", KEY_FACTS, "FILE", OPTION_HIDDEN, "used by heapyard heap", 0},
    {"unlink-trace", KEY_UNLINK, NULL, OPTION_HIDDEN, "when mapped", 0},
    {0},
};

static void set_meter(struct argp_state *state, struct replay_args *a,
                      const char *arg)
{
    char why[256];
    int err =
        meter_choose(arg, &a->child.meter, &a->child.options, why, sizeof why);

    a->meter = arg;
    if (err == ENOENT)
        argp_error(state, "--meter = %s (want %s)", arg, meter_names());
    else if (err)
        argp_error(state, "--meter = %s: %s", arg, why);
}

static error_t parse_hidden(int key, char *arg, struct argp_state *state)
{
    struct replay_args *a = state->input;
    uint64_t n;

    switch (key) {
    case KEY_UNLINK:
        a->child.unlink_trace = 1;
        return 0;
    case KEY_FACTS:
        a->child.meter = &meter_heap;
        a->child.facts = arg;
        return 0;
    case KEY_RESULT:
    case KEY_PAGE:
        argument_whole(state, "fd", arg, 0, INT_MAX, &n);
        *(key == KEY_PAGE ? &a->child.page_fd : &a->child.result_fd) = (int)n;
        a->by_hand = 0;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct replay_args *a = state->input;
    uint64_t n;

    switch (key) {
    case 'w':
        a->workload = arg;
        return 0;
    case 'f':
        a->child.trace = arg;
        return 0;
    case 'a':
        a->child.allocator = arg;
        return 0;
    case 'm':
        set_meter(state, a, arg);
        return 0;
    case 't':
        if (touch_parse(arg, &a->child.touch))
            argp_error(state,
                       "--touch = %s (want none, byte, page, line or "
                       "full)",
                       arg);
        return 0;
    case 'W':
        argument_whole(state, "window", arg, 0, UINT32_MAX, &a->child.window);
        if (a->child.window && a->child.window < REPLAY_WINDOW_MIN)
            argp_error(state, "--window = %s (want 0, or %d..%u)", arg,
                       REPLAY_WINDOW_MIN, UINT32_MAX);
        return 0;
    case 'n':
        argument_whole(state, "threads", arg, 1, OP_MAX_THREADS, &n);
        a->request.threads = (unsigned)n;
        return 0;
    case 's':
        argument_whole(state, "seed", arg, 0, UINT64_MAX, &a->request.seed);
        return 0;
    case 'x':
        if (real_parse(arg, 1e-6, 1e6, &a->request.scale))
            argp_error(state, "--scale = %s (want 0.000001..1000000)", arg);
        return 0;
    case ARGP_KEY_END:
        if (!a->child.trace == !a->workload)
            argp_error(state, "want either --workload or --trace");
        return 0;
    default:
        return parse_hidden(key, arg, state);
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    NULL,
    "Do one run in this process and print what it measured.\v"
    "Lines are: metric, at, unit, value, separated by tabs; the last one is "
    "!STATUS.\n\nExamples:\n"
    "  heapyard replay --workload churn --allocator jemalloc\n"
    "  heapyard replay --workload server-sim --threads 2 --meter check\n"
    "  perf record heapyard replay --workload churn --allocator arena",
    NULL,
    NULL,
    NULL};

/* Execute this program again as `heapyard replay` with these arguments; it
 * comes back only on an error. */
static int exec_again(const char *const *args, size_t n)
{
    char **argv = calloc(n + 3, sizeof *argv);

    if (!argv)
        return ENOMEM;
    argv[0] = (char *)"heapyard";
    argv[1] = (char *)"replay";
    for (size_t i = 0; i < n; i++)
        argv[i + 2] = (char *)args[i];
    execv(places_program(), argv);
    free(argv);
    return errno;
}

/* Compose, then start over with the finished trace, so that the run happens
 * in a process that has allocated nothing yet. */
static int compose_and_exec(struct replay_args *a, const char *name)
{
    char path[] = "/tmp/heapyard-XXXXXX", why[512], window[32];
    int fd = mkstemp(path);

    if (fd < 0) {
        fprintf(stderr, "%s: %s: %s\n", name, path, strerror(errno));
        return EXIT_INFRA;
    }
    close(fd);
    snprintf(a->request.workload, sizeof a->request.workload, "%s",
             a->workload);
    int err = prepare_compile(&a->request, path, why, sizeof why);
    if (!err) {
        snprintf(window, sizeof window, "%llu",
                 (unsigned long long)a->child.window);
        const char *args[] = {
            "--trace",  path,     "--allocator",   a->child.allocator,
            "--meter",  a->meter, "--touch",       touch_name(a->child.touch),
            "--window", window,   "--unlink-trace"};
        err = exec_again(args, sizeof args / sizeof *args);
        snprintf(why, sizeof why, "%s: %s", places_program(), strerror(err));
    }
    fprintf(stderr, "%s: %s\n", name, why);
    unlink(path);
    return EXIT_USAGE;
}

/* The runner may be gone before we ask the kernel to tell us: then nobody
 * reads its pipe any more. */
static void die_with_parent(int result_fd)
{
    struct pollfd pipe = {.fd = result_fd};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&pipe, 1, 0) > 0 && (pipe.revents & POLLERR))
        _exit(EXIT_INFRA);
}

int cmd_replay(int argc, char **argv)
{
    struct replay_args a = {
        .child = {.allocator = "system",
                  .meter = meter_find("time"),
                  .options = "",
                  .touch = TOUCH_PAGE,
                  .window = REPLAY_WINDOW,
                  .result_fd = STDOUT_FILENO,
                  .page_fd = -1},
        .request = {.threads = 1, .seed = 1, .scale = 1.0},
        .meter = "time",
        .by_hand = 1,
    };
    char why[FOREIGN_WHY_MAX] = "";

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.workload)
        return compose_and_exec(&a, argv[0]);
    if (!a.by_hand)
        die_with_parent(a.child.result_fd);
    enum status status = child_preload(&a.child, why, sizeof why);
    if (status == STATUS_OK && a.child.preload_path[0]) {
        exec_again((const char *const *)argv + 1, (size_t)argc - 1);
        status = STATUS_ERROR;
        snprintf(why, sizeof why, "cannot execute %s", places_program());
    } else if (status == STATUS_OK && meter_is(a.meter, "simulated") &&
               !callgrind_requests_heard()) {
        status = simulate_exec(a.child.options, (const char *const *)argv + 1,
                               (size_t)argc - 1, why, sizeof why);
    }
    if (status != STATUS_OK) {
        if (a.child.unlink_trace)
            unlink(a.child.trace);
        dprintf(a.child.result_fd, "!%s\t%s\n", status_name(status), why);
        return EXIT_BAD_RUNS;
    }
    return child_run(&a.child) == STATUS_OK ? EXIT_GOOD : EXIT_BAD_RUNS;
}
