/* message_queue.c - a bounded queue between two threads.
 *
 * Invariant: received <= sent <= received + places.  A place that was received
 * is cleared, so that it keeps nothing alive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "message_queue.h"

#include <sched.h>
#include <stddef.h>

bool message_queue_send(struct message_queue *q, void *message,
                        const _Atomic bool *stop)
{
    uint64_t at = atomic_load_explicit(&q->sent, memory_order_relaxed);

    while (at - atomic_load_explicit(&q->received, memory_order_acquire) ==
           q->places) {
        if (atomic_load(stop))
            return false;
        sched_yield();
    }
    atomic_store_explicit(&q->place[at % q->places], message,
                          memory_order_relaxed);
    atomic_store_explicit(&q->sent, at + 1, memory_order_release);
    return true;
}

void *message_queue_take(struct message_queue *q)
{
    uint64_t at = atomic_load_explicit(&q->received, memory_order_relaxed);

    if (at == atomic_load_explicit(&q->sent, memory_order_acquire))
        return NULL;
    void *message = atomic_exchange_explicit(&q->place[at % q->places], NULL,
                                             memory_order_relaxed);
    atomic_store_explicit(&q->received, at + 1, memory_order_release);
    return message;
}

void *message_queue_receive(struct message_queue *q, const _Atomic bool *stop)
{
    void *message;

    while (!(message = message_queue_take(q)) && !atomic_load(stop))
        sched_yield();
    return message;
}
