/* exec.c - starts one run as a child process and takes what it says.
 *
 * The child is this program again (`heapyard replay`), started by exec: a
 * fresh address space, a process group of its own, so that Ctrl-C reaches
 * only us and a hung child can be killed with all that it started.  It talks
 * on descriptor 3 (lines of meter.h), shows its place on descriptor 4 (a
 * shared_page), and its standard error is kept for the note of a crash.
 *
 * Invariant: exec_run returns with no child left and every descriptor closed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create, pipe2, sched_setaffinity */

#include "exec.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blowup.h"
#include "meter.h"
#include "noise.h"
#include "places.h"
#include "sampler.h"
#include "ticks.h"

enum {
    RESULT_FD = 3,
    PAGE_FD = 4,
    RESULT_MAX = 1 << 20, /* bytes: a sane child says a few KiB */
    STDERR_KEEP = 240,
    IDLE_TICK_MS = 20,
    ENDING_TICK_MS = 1,
    PAD_MAX = 4096 /* of the environment: Mytkowicz et al. 2009 */
};

volatile sig_atomic_t exec_stop;

extern char **environ;

struct child {
    pid_t pid;
    int result, error; /* our ends of its pipes; -1: closed */
    int page_fd;
    struct shared_page *page;
    char *text; /* what it said on RESULT_FD: [RESULT_MAX + 1] */
    size_t length;
    char last_words[STDERR_KEEP + 1];
    size_t last_length;
    int timed_out;
    int wait_status;
    struct sampler *sampler; /* NULL: not the memory meter */
    uint64_t deadline_ns;
    int is_killed, is_gone;
    struct noise before, after;
    struct clock_pair begun;
};

/* ---- outcome ---- */

int outcome_add(struct outcome *o, const char *metric, const char *at,
                const char *unit, double value)
{
    if (o->n == o->room) {
        size_t room = o->room ? 2 * o->room : 64;
        struct outcome_value *more = realloc(o->values, room * sizeof *more);

        if (!more)
            return ENOMEM;
        o->values = more;
        o->room = room;
    }
    struct outcome_value *v = &o->values[o->n++];

    snprintf(v->metric, sizeof v->metric, "%s", metric);
    snprintf(v->at, sizeof v->at, "%s", at);
    snprintf(v->unit, sizeof v->unit, "%s", unit);
    v->value = value;
    v->note[0] = 0;
    return 0;
}

const struct outcome_value *outcome_find(const struct outcome *o,
                                         const char *metric)
{
    for (size_t i = 0; i < o->n; i++)
        if (!strcmp(o->values[i].metric, metric) && !o->values[i].at[0])
            return &o->values[i];
    return NULL;
}

void outcome_free(struct outcome *o)
{
    free(o->values);
    o->values = NULL;
    o->n = o->room = 0;
}

/* Control bytes of a crashed child must not reach a CSV file. */
static void put_note(char note[160], const char *text)
{
    snprintf(note, 160, "%.159s", text);
    for (char *c = note; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
}

void outcome_set_note(struct outcome *o, const char *text)
{
    put_note(o->note, text);
}

/* ---- start ---- */

static char **make_environment(const struct plan_run *run, char pad[])
{
    size_t n = 0;

    while (environ[n])
        n++;
    char **env = calloc(n + 2, sizeof *env);
    if (!env)
        return NULL;
    memcpy(env, environ, n * sizeof *env);
    /* Where the stack begins changes what lies beside what: vary it. */
    size_t length =
        (run->run * 2654435761u + run->trace.seed * 40503u) % PAD_MAX;
    strcpy(pad, "HEAPYARD_PAD=");
    memset(pad + strlen(pad), 'x', length);
    pad[strlen("HEAPYARD_PAD=") + length] = 0;
    env[n] = pad;
    return env;
}

/* This thread, for as long as it starts a child, which inherits it.  Returns
 * 0 and where it was bound before, or an errno. */
static int bind_to(unsigned cpu, cpu_set_t *before)
{
    cpu_set_t only;

    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    if (sched_getaffinity(0, sizeof *before, before) ||
        sched_setaffinity(0, sizeof only, &only))
        return errno;
    return 0;
}

static int spawn(const struct plan_run *run, const char *trace_path,
                 const int result[2], const int error[2], struct child *c)
{
    char window[16], pad[PAD_MAX + 32];
    const char *argv[] = {"heapyard",
                          "replay",
                          "--trace",
                          trace_path,
                          "--meter",
                          run->meter,
                          "--touch",
                          touch_name(run->touch),
                          "--window",
                          window,
                          "--result-fd",
                          "3",
                          "--page-fd",
                          "4",
                          "--allocator",
                          run->allocator,
                          run->facts ? "--facts" : NULL,
                          run->facts,
                          NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    char **env = make_environment(run, pad);

    if (!env)
        return ENOMEM;
    snprintf(window, sizeof window, "%u", run->window);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, error[1], 1);
    posix_spawn_file_actions_adddup2(&files, error[1], 2);
    posix_spawn_file_actions_adddup2(&files, result[1], RESULT_FD);
    posix_spawn_file_actions_adddup2(&files, c->page_fd, PAGE_FD);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    cpu_set_t before;
    int is_bound = run->pin && !bind_to(run->pin - 1, &before);
    int err =
        posix_spawn(&c->pid, run->program ? run->program : places_program(),
                    &files, &attr, (char *const *)argv, env);

    if (is_bound)
        sched_setaffinity(0, sizeof before, &before);

    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    free(env);
    return err;
}

/* Descriptors above those that the child gets, so that dup2 in the child
 * never overwrites one that it still needs. */
static int raise_fd(int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

    if (high < 0)
        return errno;
    close(*fd);
    *fd = high;
    return 0;
}

static int make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC))
        return errno;
    int err = raise_fd(&ends[0]);

    if (!err)
        err = raise_fd(&ends[1]);
    if (!err)
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return err;
}

static int make_page(struct child *c)
{
    c->page_fd = memfd_create("heapyard-page", MFD_CLOEXEC);
    if (c->page_fd < 0)
        return errno;
    if (raise_fd(&c->page_fd) ||
        ftruncate(c->page_fd, sizeof(struct shared_page)))
        return errno;
    void *p = mmap(NULL, sizeof(struct shared_page), PROT_READ | PROT_WRITE,
                   MAP_SHARED, c->page_fd, 0);
    if (p == MAP_FAILED)
        return errno;
    c->page = p;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int start(const struct plan_run *run, const char *trace_path,
                 struct child *c)
{
    int result[2] = {-1, -1}, error[2] = {-1, -1};
    int err = make_page(c);

    if (!err)
        err = make_pipe(result);
    if (!err)
        err = make_pipe(error);
    if (!err)
        err = spawn(run, trace_path, result, error, c);
    close_fd(&result[1]);
    close_fd(&error[1]);
    c->result = result[0];
    c->error = error[0];
    return err;
}

/* ---- watch ---- */

static void take_result(struct child *c)
{
    while (c->result >= 0) {
        char scrap[512];
        size_t room = RESULT_MAX - c->length;
        ssize_t n = room ? read(c->result, c->text + c->length, room)
                         : read(c->result, scrap, sizeof scrap);

        if (n > 0)
            c->length += room ? (size_t)n : 0;
        else if (n == 0)
            close_fd(&c->result);
        else
            return;
    }
}

/* Keep the end of what it says on its standard error. */
static void take_error(struct child *c)
{
    while (c->error >= 0) {
        char part[STDERR_KEEP];
        ssize_t n = read(c->error, part, sizeof part);

        if (n == 0)
            close_fd(&c->error);
        if (n <= 0)
            return;
        size_t new = (size_t)n;
        size_t keep = STDERR_KEEP - new < c->last_length ? STDERR_KEEP - new
                                                         : c->last_length;

        memmove(c->last_words, c->last_words + c->last_length - keep, keep);
        memcpy(c->last_words + keep, part, new);
        c->last_length = keep + new;
        c->last_words[c->last_length] = 0;
    }
}

static void wait_a_tick(const struct child c[], unsigned n)
{
    struct pollfd fds[2 * EXEC_AT_ONCE];
    int tick = IDLE_TICK_MS;

    for (unsigned i = 0; i < n; i++) {
        fds[2 * i] = (struct pollfd){.fd = c[i].result, .events = POLLIN};
        fds[2 * i + 1] = (struct pollfd){.fd = c[i].error, .events = POLLIN};
        if (c[i].sampler)
            tick = SAMPLER_TICK_MS;
        else if (c[i].result < 0 && !c[i].is_gone)
            tick = ENDING_TICK_MS; /* it has closed all, and will be gone */
    }
    poll(fds, 2 * n, tick);
}

/* Take what it says and shows; kill it when it is time to. */
static void look_after(struct child *c, const struct trace *trace)
{
    if (c->sampler)
        sampler_take(c->sampler, c->pid, c->page, trace);
    take_result(c);
    take_error(c);
    pid_t pid = waitpid(c->pid, &c->wait_status, WNOHANG);
    c->is_gone = pid == c->pid || (pid < 0 && errno == ECHILD);
    if (c->is_gone) {
        kill(-c->pid, SIGKILL); /* whatever it left behind */
        noise_read("", &c->after);
        take_result(c);
        take_error(c);
    } else if (!c->is_killed) {
        c->timed_out = clock_wall_ns() > c->deadline_ns;
        c->is_killed = c->timed_out || exec_stop;
        if (c->is_killed)
            kill(-c->pid, SIGKILL);
    }
}

/* Watch until all are gone.  Returns 0, or EINTR after exec_stop. */
static int watch(struct child c[], unsigned n, const struct trace *trace)
{
    for (unsigned left = n; left > 0;) {
        wait_a_tick(c, n);
        left = 0;
        for (unsigned i = 0; i < n; i++) {
            if (!c[i].is_gone)
                look_after(&c[i], trace);
            left += !c[i].is_gone;
        }
    }
    return exec_stop ? EINTR : 0;
}

/* ---- what it said ---- */

static int parse_value(char *line, struct outcome *o)
{
    char *at = strchr(line, '\t');
    char *unit = at ? strchr(at + 1, '\t') : NULL;
    char *value = unit ? strchr(unit + 1, '\t') : NULL;

    if (!value)
        return 0; /* cut off: the closing line will be missing too */
    *at++ = *unit++ = *value++ = 0;
    char *note = strchr(value, '\t');
    int err = outcome_add(o, line, at, unit, strtod(value, NULL));

    if (!err && note)
        put_note(o->values[o->n - 1].note, note + 1);
    return err;
}

/* Returns 0 or ENOMEM; *closed: there was a closing line. */
static int parse_result(struct child *c, struct outcome *o, int *closed)
{
    char *line = c->text, *next;
    int err = 0;

    c->text[c->length] = 0;
    for (; !err && (next = strchr(line, '\n')); line = next + 1) {
        *next = 0;
        if (*line == '=') {
            snprintf(o->served_by, sizeof o->served_by, "%s", line + 1);
        } else if (*line == '#') {
            outcome_set_note(o, line + 1);
        } else if (*line == '!') {
            char *tab = strchr(line, '\t');

            if (tab)
                *tab = 0;
            *closed = !status_parse(line + 1, &o->status);
            if (tab && tab[1])
                outcome_set_note(o, tab + 1);
        } else {
            err = parse_value(line, o);
        }
    }
    return err;
}

static const char *last_line(struct child *c)
{
    size_t n = c->last_length;

    while (n && isspace((unsigned char)c->last_words[n - 1]))
        c->last_words[--n] = 0;
    char *newline = strrchr(c->last_words, '\n');

    return newline ? newline + 1 : c->last_words;
}

/* A run without a closing line: say how it ended and how far it had come. */
static void explain(struct child *c, const struct trace *trace,
                    const struct plan_run *run, struct outcome *o)
{
    char how[400], where[80] = "";
    const char *words = last_line(c);

    if (atomic_load(&c->page->state) == SHARED_RUNNING && trace->native)
        snprintf(where, sizeof where, " while it ran");
    else if (atomic_load(&c->page->state) == SHARED_RUNNING)
        snprintf(
            where, sizeof where, " near operation %llu of %llu",
            (unsigned long long)shared_page_place(c->page, trace->totals.ops),
            (unsigned long long)trace->totals.ops);
    else if (atomic_load(&c->page->state) == SHARED_DONE)
        snprintf(where, sizeof where, " after the replay");
    else
        snprintf(where, sizeof where, " before the replay");
    o->status = c->timed_out ? STATUS_TIMEOUT : STATUS_CRASH;
    if (c->timed_out)
        snprintf(how, sizeof how, "no result within %u s;%s%s%s",
                 run->timeout_s, where, *words ? ": " : "", words);
    else if (WIFSIGNALED(c->wait_status))
        snprintf(how, sizeof how, "killed by signal %d (%s)%s%s%s",
                 WTERMSIG(c->wait_status), strsignal(WTERMSIG(c->wait_status)),
                 where, *words ? ": " : "", words);
    else
        snprintf(how, sizeof how, "exit code %d without a result%s%s%s",
                 WEXITSTATUS(c->wait_status), where, *words ? ": " : "", words);
    outcome_set_note(o, how);
}

/* Whether noise would change what the meter measures. */
static int is_timed(const char *meter)
{
    return meter_is(meter, "time") || meter_is(meter, "latency");
}

static int report_memory(const struct child *c, const struct plan_run *run,
                         const struct trace *trace, struct outcome *o)
{
    int err = sampler_report(c->sampler, trace, o);

    return err ? err : blowup_report(&run->trace, trace->threads, o);
}

static int conclude(struct child *c, const struct plan_run *run,
                    const struct trace *trace, struct outcome *o)
{
    int closed = 0;
    int err = parse_result(c, o, &closed);

    if (err)
        return err;
    if (!closed || (o->status == STATUS_OK &&
                    (!WIFEXITED(c->wait_status) || c->timed_out ||
                     WEXITSTATUS(c->wait_status) != 0)))
        explain(c, trace, run, o);
    o->slices = atomic_load(&c->page->slices);
    if (o->slices > SHARED_SLICES_MAX)
        o->slices = 0; /* the child has written there */
    memcpy(o->slice, c->page->slice, o->slices * sizeof *o->slice);
    o->slice_ops = atomic_load(&c->page->slice_ops);
    o->ns_per_tick = clock_ns_per_tick(c->begun, clock_pair_now());
    o->place = shared_page_place(c->page, trace->totals.ops);
    if (o->status != STATUS_OK)
        o->n = 0;
    else if (c->sampler)
        err = report_memory(c, run, trace, o);
    else if (is_timed(run->meter))
        err = noise_report(&c->before, &c->after, o);
    return err;
}

static void child_free(struct child *c)
{
    close_fd(&c->result);
    close_fd(&c->error);
    close_fd(&c->page_fd);
    if (c->page)
        munmap(c->page, sizeof *c->page);
    free(c->text);
    free(c->sampler);
}

static int child_begin(struct child *c, const struct plan_run *run,
                       const char *trace_path)
{
    *c = (struct child){.result = -1, .error = -1, .page_fd = -1, .is_gone = 1};
    c->text = malloc(RESULT_MAX + 1);
    if (meter_is(run->meter, "memory")) {
        c->sampler = malloc(sizeof *c->sampler);
        if (!c->sampler)
            return ENOMEM;
        sampler_init(c->sampler);
    }
    if (!c->text)
        return ENOMEM;
    noise_read("", &c->before);
    c->begun = clock_pair_now();
    int err = start(run, trace_path, c);

    c->deadline_ns = clock_wall_ns() + run->timeout_s * UINT64_C(1000000000);
    c->is_gone = err != 0;
    return err;
}

/* After an error: those that were started must not be left behind. */
static void end_all(struct child c[], unsigned n, const struct trace *trace)
{
    for (unsigned i = 0; i < n; i++)
        c[i].deadline_ns = 0;
    (void)watch(c, n, trace);
}

int exec_runs(const struct plan_run runs[], unsigned n, const char *trace_path,
              const struct trace *trace, struct outcome out[])
{
    struct child c[EXEC_AT_ONCE];
    unsigned begun = 0;
    int err = 0;

    assert(n <= EXEC_AT_ONCE);
    for (unsigned i = 0; i < n; i++)
        out[i] = (struct outcome){.status = STATUS_ERROR};
    while (begun < n && !err) {
        err = child_begin(&c[begun], &runs[begun], trace_path);
        begun++;
    }
    if (err)
        end_all(c, begun, trace);
    else
        err = watch(c, n, trace);
    for (unsigned i = 0; i < n && !err; i++)
        err = conclude(&c[i], &runs[i], trace, &out[i]);
    for (unsigned i = 0; i < begun; i++)
        child_free(&c[i]);
    return err;
}

int exec_run(const struct plan_run *run, const char *trace_path,
             const struct trace *trace, struct outcome *out)
{
    return exec_runs(run, 1, trace_path, trace, out);
}
