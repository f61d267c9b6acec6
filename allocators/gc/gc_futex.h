/* gc_futex.h - waiting until a word changes: awake, or asleep.
 *
 * Includers define _GNU_SOURCE, for syscall.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_FUTEX_H
#define GC_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A turn of a loop that waits awake. */
#if defined(__x86_64__)
static inline void gc_pause(void)
{
    __builtin_ia32_pause();
}
#else
static inline void gc_pause(void)
{
}
#endif

/* Sleep while the word has this value; may wake for no reason. */
static inline void gc_futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static inline void gc_futex_wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif
