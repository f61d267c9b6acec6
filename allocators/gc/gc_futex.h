/* gc_futex.h - sleeping until a word changes.
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
