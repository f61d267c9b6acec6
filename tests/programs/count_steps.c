/* count_steps.c - how many instructions a warm malloc and a warm free take.
 *
 *   [LD_PRELOAD=LIB] count_steps [SIZE...]      default: 24 1024 8192 65536
 *
 * Prints SIZE, the instructions of malloc and those of free, separated by
 * tabs: medians over 101 pairs, exact for each pair.  The program traces
 * itself: a parent steps the child instruction by instruction from one
 * breakpoint to the next, and counts those outside the program's own code, so
 * the call and its PLT stub do not count.
 *
 * Exits 0; 2 for a bad SIZE; 77 where this cannot be done (no ptrace, not
 * x86-64).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* ptrace requests */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS = 101, WARM = 10000, LIVE = 64, SKIP = 77 };

#if defined(__x86_64__)
#define BREAKPOINT() __asm__ volatile("int3" ::: "memory")

extern const char __executable_start[], etext[];

static void *volatile sink;

/* Blocks of that size come and go; then PAIRS pairs between breakpoints. */
static void child(size_t size)
{
    void *live[LIVE] = {NULL};

    for (unsigned i = 0; i < WARM; i++) {
        free(live[i % LIVE]);
        live[i % LIVE] = malloc(size);
    }
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
        _exit(SKIP);
    for (unsigned i = 0; i < PAIRS; i++) {
        free(live[i % LIVE]);
        BREAKPOINT();
        sink = malloc(size);
        BREAKPOINT();
        live[i % LIVE] = sink;
        sink = malloc(size);
        BREAKPOINT();
        free(sink);
        BREAKPOINT();
    }
    _exit(0);
}

static int at_breakpoint(pid_t pid, const struct user_regs_struct *regs)
{
    return (ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)regs->rip, NULL) &
            0xff) == 0xcc;
}

/* Steps to the next breakpoint, those in the program itself left out; -1 when
 * the child is gone. */
static long count(pid_t pid)
{
    long n = 0;
    int status;

    for (;;) {
        struct user_regs_struct regs;

        if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
            return -1;
        if (at_breakpoint(pid, &regs))
            return n;
        n += regs.rip < (uintptr_t)__executable_start ||
             regs.rip >= (uintptr_t)etext;
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
            waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            return -1;
    }
}

/* To the next breakpoint, at full speed. */
static int run(pid_t pid)
{
    int status;

    return ptrace(PTRACE_CONT, pid, NULL, NULL) ||
           waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
           WSTOPSIG(status) != SIGTRAP;
}

static int by_value(const void *a, const void *b)
{
    const long x = *(const long *)a, y = *(const long *)b;

    return (x > y) - (x < y);
}

static long median(long x[PAIRS])
{
    qsort(x, PAIRS, sizeof *x, by_value);
    return x[PAIRS / 2];
}

static int measure(size_t size)
{
    static long mallocs[PAIRS], frees[PAIRS];
    int status;
    const pid_t pid = fork();

    if (pid == 0)
        child(size);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return SKIP;
    for (unsigned i = 0; i < PAIRS; i++) {
        mallocs[i] = count(pid);
        if (mallocs[i] < 0 || run(pid) || run(pid))
            return 1;
        frees[i] = count(pid);
        if (frees[i] < 0 || run(pid) || (i + 1 < PAIRS && run(pid)))
            return 1;
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    printf("%zu\t%ld\t%ld\n", size, median(mallocs), median(frees));
    return 0;
}
#else
static int measure(size_t size)
{
    (void)size;
    return SKIP;
}
#endif

int main(int argc, char **argv)
{
    static const size_t sizes[] = {24, 1024, 8192, 65536};
    int err = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc && !err; i++) {
        char *end;
        const size_t size = strtoul(argv[i], &end, 10);

        if (end == argv[i] || *end) {
            fprintf(stderr, "count_steps: SIZE = %s (want bytes)\n", argv[i]);
            return 2;
        }
        err = measure(size);
    }
    for (size_t i = 0; argc == 1 && i < sizeof sizes / sizeof *sizes && !err;
         i++)
        err = measure(sizes[i]);
    return err;
}
