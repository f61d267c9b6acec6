/* faulty.c - malloc with one fault, to be preloaded by tests.
 *
 * Built once for every name in CMakeLists.txt, with -DFAULT=FAULT_NAME and
 * -DIS_NAME (for what the preprocessor leaves out).  All memory is the C
 * library's, by its second names (__libc_malloc and so on), so nothing here
 * depends on the order in which symbols are looked up.  A fault happens well
 * after the program has started, and what it hands out can be freed: only
 * whoever checks the contract can see it.
 *
 * Invariant: before the fault, and without one (FAULT_COUNT), this is a
 * correct malloc for many threads.  The faulty ones serve one thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RTLD_NEXT */

/* What a library does not export has another name in it. */
#if defined IS_NO_FREE || defined IS_NO_MALLOC
#define free faulty_free
#endif
#ifdef IS_NO_MALLOC
#define malloc  faulty_malloc
#define calloc  faulty_calloc
#define realloc faulty_realloc
#endif

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FAULT_COUNT = 1,    /* none: counts the calls */
    FAULT_CRASH,        /* a write to no memory */
    FAULT_HANG,         /* an endless loop */
    FAULT_NULL,         /* no memory */
    FAULT_MISALIGN,     /* a block at 8 modulo 16 */
    FAULT_TWICE,        /* the address of a live block */
    FAULT_OVERLAP,      /* a block that begins 8 bytes before another ends */
    FAULT_CALLOC,       /* calloc gives a block that is not zero */
    FAULT_REALLOC,      /* realloc moves a block without its contents */
    FAULT_USABLE,       /* malloc_usable_size says half */
    FAULT_SCRIBBLE,     /* free writes into another block that is live */
    FAULT_ABORT,        /* a message, then abort() */
    FAULT_EXIT_0,       /* exit(0) in the middle */
    FAULT_EXIT_3,       /* exit(3) in the middle */
    FAULT_NO_FREE,      /* free is not exported */
    FAULT_NO_MALLOC,    /* neither is malloc */
    FAULT_CONSTRUCTOR,  /* crashes while it is loaded */
    FAULT_HANG_LOADING, /* never comes back from being loaded */
    FAULT_HANG_LEAVING, /* never lets the process end */
    FAULT_CRASH_LEAVING,
    FAULT_NOISY,     /* writes 1 MiB to standard output, quotes and all */
    FAULT_OFFSPRING, /* starts a process that never ends, then crashes */
    FAULT_CLOSES,    /* closes the descriptors of the harness */
    /* When: calls of the same function before it happens.  The program that
     * loads it makes some hundreds on its own account. */
    MALLOCS_BEFORE = 1000,
    CALLOCS_BEFORE = 40,
    REALLOCS_BEFORE = 40
};

#ifndef FAULT
#error "give -DFAULT=FAULT_CRASH or another"
#endif

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static _Atomic uint64_t mallocs, callocs, reallocs;

/* The last plain block handed out, while it is live. */
static struct {
    char *at;
    size_t size; /* bytes asked for */
} last;

/* The faulty block, which must not reach the C library's free. */
static struct {
    char *at;
    size_t size;
} odd;

/* ---- faults ---- */

static void crash(void)
{
    volatile uintptr_t nowhere = 8;

    *(volatile char *)nowhere = 1;
}

static void hang(void)
{
    for (volatile unsigned turn = 0;; turn++)
        ;
}

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(9);
}

static void make_noise(void)
{
    static const char line[] = "\"noise\",\t\033[31m!ok\tred\r\n\001\x80";

    for (size_t sent = 0; sent < 1 << 20; sent += sizeof line - 1)
        if (write(STDOUT_FILENO, line, sizeof line - 1) < 0)
            _exit(9);
}

static void start_offspring(void)
{
    if (fork() == 0)
        for (;;)
            pause();
    crash();
}

static void *misaligned(size_t size)
{
    char *p = __libc_malloc(size + 16);

    if (!p)
        return NULL;
    odd.at = p + 8;
    odd.size = size;
    return odd.at;
}

/* The last block again; its second free goes nowhere. */
static void *twice(void)
{
    odd.at = last.at;
    odd.size = last.size;
    return last.at;
}

/* Two blocks of one: the second begins in the last 8 bytes of the first,
 * whose size is chosen so that the second is aligned. */
static void *overlapping(size_t size)
{
    odd.at = last.at + last.size - 8;
    odd.size = size;
    return odd.at;
}

/* A fault of malloc that takes the whole process with it, or changes what it
 * is in. */
static void misbehave(void)
{
    switch (FAULT) {
    case FAULT_CRASH:
        crash();
        break;
    case FAULT_HANG:
        hang();
        break;
    case FAULT_ABORT:
        say("faulty: the free list is broken, \"giving up\"\n");
        abort();
    case FAULT_EXIT_0:
        exit(0);
    case FAULT_EXIT_3:
        exit(3);
    case FAULT_NOISY:
        make_noise();
        break;
    case FAULT_OFFSPRING:
        start_offspring();
        break;
    case FAULT_CLOSES:
        close(3);
        close(4);
        break;
    default:
        break;
    }
}

/* ---- malloc and its family ---- */

static void *plain(size_t size)
{
    /* Room behind the block for one that FAULT_OVERLAP puts there. */
    char *p = __libc_malloc(FAULT == FAULT_OVERLAP ? size + 8192 : size);

    last.at = p;
    last.size = size;
    return p;
}

static void *serve_malloc(size_t size)
{
    if (FAULT == FAULT_COUNT) {
        atomic_fetch_add(&mallocs, 1);
        return __libc_malloc(size);
    }
    const uint64_t n = mallocs++;
    if (n == MALLOCS_BEFORE)
        misbehave();
    if (n < MALLOCS_BEFORE || odd.at)
        return plain(size);
    if (FAULT == FAULT_NULL) {
        errno = ENOMEM;
        return NULL;
    }
    if (FAULT == FAULT_MISALIGN && size >= 16)
        return misaligned(size);
    if (FAULT == FAULT_TWICE && last.at && last.size >= size)
        return twice();
    if (FAULT == FAULT_OVERLAP && last.at && last.size % 16 == 8 &&
        last.size > 8 && size >= 16 && size < 8192)
        return overlapping(size);
    return plain(size);
}

static void serve_free(void *p)
{
    if (FAULT == FAULT_COUNT) {
        __libc_free(p);
        return;
    }
    if (p && p == odd.at) {
        odd.at = NULL; /* what lies there is lost, or another's */
        return;
    }
    if (p == last.at)
        last.at = NULL;
    if (FAULT == FAULT_SCRIBBLE && mallocs > MALLOCS_BEFORE && last.at &&
        last.size >= 16)
        last.at[last.size / 2] ^= 0x40;
    __libc_free(p);
}

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
    return serve_malloc(size);
}

EXPORT void free(void *p)
{
    serve_free(p);
}

EXPORT void *calloc(size_t n, size_t size)
{
    if (FAULT == FAULT_COUNT)
        atomic_fetch_add(&callocs, 1);
    char *p = __libc_calloc(n, size);
    if (FAULT == FAULT_CALLOC && p && size && callocs++ >= CALLOCS_BEFORE)
        p[size / 2] = 0x55;
    return p;
}

/* Moves without copying. */
static void *forgetful(void *p, size_t size)
{
    void *q = __libc_malloc(size);

    if (!q)
        return NULL;
    memset(q, 0x55, size);
    __libc_free(p);
    return q;
}

EXPORT void *realloc(void *p, size_t size)
{
    if (FAULT == FAULT_COUNT) {
        atomic_fetch_add(&reallocs, 1);
        return __libc_realloc(p, size);
    }
    if (p == last.at)
        last.at = NULL;
    if (p && p == odd.at) {
        void *q = __libc_malloc(size);

        if (q)
            memcpy(q, p, odd.size < size ? odd.size : size);
        odd.at = NULL;
        return q;
    }
    if (FAULT == FAULT_REALLOC && reallocs++ >= REALLOCS_BEFORE && p && size)
        return forgetful(p, size);
    return __libc_realloc(p, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    void *p = __libc_memalign(align, size);

    if (FAULT == FAULT_COUNT)
        atomic_fetch_add(&mallocs, 1);
    if (p)
        *out = p;
    return p ? 0 : ENOMEM;
}

#ifdef IS_USABLE
EXPORT size_t malloc_usable_size(void *p);
EXPORT size_t malloc_usable_size(void *p)
{
    size_t (*next)(void *);
    void *symbol = dlsym(RTLD_NEXT, "malloc_usable_size");

    memcpy(&next, &symbol, sizeof next);
    return mallocs > MALLOCS_BEFORE ? next(p) / 2 : next(p);
}
#endif

/* ---- loading and leaving ---- */

__attribute__((constructor)) static void on_load(void)
{
    if (FAULT == FAULT_CONSTRUCTOR)
        crash();
    if (FAULT == FAULT_HANG_LOADING)
        hang();
}

__attribute__((destructor)) static void on_leave(void)
{
    if (mallocs <= MALLOCS_BEFORE)
        return; /* a program that was no run */
    if (FAULT == FAULT_HANG_LEAVING)
        hang();
    if (FAULT == FAULT_CRASH_LEAVING)
        crash();
}

#ifdef IS_COUNT
/* Calls of malloc, calloc, realloc and posix_memalign until now. */
EXPORT uint64_t heapyard_test_malloc_calls(void);
EXPORT uint64_t heapyard_test_malloc_calls(void)
{
    return mallocs + callocs + reallocs;
}
#endif
