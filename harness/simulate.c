/* simulate.c - a run under valgrind, of meter simulated.
 *
 * The process that the runner started (or a user, by hand) becomes valgrind,
 * which runs `heapyard replay` again.  A foreign allocator is preloaded by
 * then and has been proved without valgrind; callgrind replaces no malloc.
 * Callgrind writes its file into memory that the process inherits, so that
 * none is left behind however the run ends.
 *
 * Invariant: what the counts depend on is given here: the caches, the size of
 * the stack and where it begins, valgrind's options.  (The environment and
 * the arguments lie above the stack; a pad makes them one size.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create, environ */

#include "simulate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "callgrind_requests.h"
#include "callgrind_totals.h"
#include "places.h"

#define PAD "HEAPYARD_PAD" /* exec.c varies it for the other meters */

enum { ABOVE_STACK = 32 << 10 /* bytes: arguments and environment, padded */ };

static const char *const valgrind[] = {
    "valgrind",
    "--command-line-only=yes", /* not what $VALGRIND_OPTS or a file says */
    "--tool=callgrind",
    "--log-file=/dev/null", /* it warns of caches that are not the host's */
    "--vgdb=no",            /* or a killed run leaves a pipe in /tmp */
    "--main-stacksize=8388608",
    "--callgrind-out-file=/proc/self/fd/5",
    "--combine-dumps=yes", /* no ".1" after the name */
    "--dump-instr=no",
    "--instr-atstart=no",
    "--branch-sim=yes",
};
_Static_assert(SIMULATE_FD == 5, "its name stands above");

static const char *const with_caches_too[] = {
    "--cache-sim=yes",
    "--I1=" CALLGRIND_I1,
    "--D1=" CALLGRIND_D1,
    "--LL=" CALLGRIND_LL,
};

enum {
    OPTIONS = sizeof valgrind / sizeof *valgrind,
    CACHE_OPTIONS = sizeof with_caches_too / sizeof *with_caches_too
};

int simulate_parse(const char *options, int *with_caches, char *why,
                   size_t why_size)
{
    *with_caches = strcmp(options, "cache=off") != 0;
    if (!*with_caches || !*options || !strcmp(options, "cache=on"))
        return 0;
    snprintf(why, why_size, "option %.40s (want cache=on or cache=off)",
             options);
    return EINVAL;
}

static int open_counts(void)
{
    int fd = memfd_create("heapyard-counts", 0);

    if (fd < 0)
        return errno;
    if (fd == SIMULATE_FD)
        return 0;
    int err = dup2(fd, SIMULATE_FD) < 0 ? errno : 0;

    close(fd);
    return err;
}

/* Bytes of a list of strings as exec lays it out, pointers included. */
static size_t list_bytes(const char *const list[])
{
    size_t bytes = 0;

    for (size_t i = 0; list[i]; i++)
        bytes += strlen(list[i]) + 1 + sizeof list[i];
    return bytes;
}

/* Returns 0 or an errno. */
static int pad_environment(const char *const command[])
{
    static char pad[ABOVE_STACK];

    unsetenv(PAD);
    size_t bytes = list_bytes(command) +
                   list_bytes((const char *const *)environ) + sizeof PAD + 1 +
                   sizeof(char *);
    size_t length = ABOVE_STACK - 1 - bytes % ABOVE_STACK;

    memset(pad, 'x', length);
    return setenv(PAD, pad, 1) ? errno : 0;
}

static const char **make_command(int with_caches, const char *const args[],
                                 size_t n, size_t *program)
{
    const char **all = calloc(OPTIONS + CACHE_OPTIONS + n + 3, sizeof *all);
    size_t at = OPTIONS;

    if (!all)
        return NULL;
    memcpy(all, valgrind, sizeof valgrind);
    if (with_caches) {
        memcpy(all + at, with_caches_too, sizeof with_caches_too);
        at += CACHE_OPTIONS;
    }
    *program = at;
    all[at++] = places_program();
    all[at++] = "replay";
    for (size_t i = 0; i < n; i++)
        all[at++] = args[i];
    return all;
}

/* Returns why it could not, as an errno. */
static int execute(int with_caches, const char *const args[], size_t n)
{
    size_t program;
    const char **all = make_command(with_caches, args, n, &program);
    int err = all ? open_counts() : ENOMEM;

    if (!err)
        err = pad_environment(all + program);
    if (!err) {
        execvp(all[0], (char *const *)all);
        err = errno;
    }
    free(all);
    return err;
}

enum status simulate_exec(const char *options, const char *const args[],
                          size_t n, char *why, size_t why_size)
{
    const char *missing = callgrind_requests_missing();
    int with_caches;

    if (missing) {
        snprintf(why, why_size, "%s", missing);
        return STATUS_SKIP;
    }
    if (simulate_parse(options, &with_caches, why, why_size))
        return STATUS_ERROR;
    int err = execute(with_caches, args, n);
    if (err == ENOENT) {
        snprintf(why, why_size, "needs valgrind (package valgrind)");
        return STATUS_SKIP;
    }
    snprintf(why, why_size, "cannot execute valgrind: %s", strerror(err));
    return STATUS_ERROR;
}
