/* message_queue.h - a bounded queue between two threads.
 *
 * One thread sends, one receives: a ring of pointers with a count of what was
 * sent and one of what was received.  Who has to wait gives up the CPU.
 *
 * Source: L. Lamport, "Specifying concurrent program modules", ACM TOPLAS
 * 5(2), 1983 (the two-process queue without a lock).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MESSAGE_QUEUE_H
#define HEAPYARD_MESSAGE_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct message_queue {
    alignas(64) _Atomic uint64_t sent;
    alignas(64) _Atomic uint64_t received;
    alignas(64) uint64_t places; /* 1 or more */
    void *_Atomic *place;        /* [places], borrowed: a root */
};

/* Wait for a place, or a message.  Once *stop is set, which is asked only
 * while waiting: false, or NULL. */
bool message_queue_send(struct message_queue *, void *message,
                        const _Atomic bool *stop);
void *message_queue_receive(struct message_queue *, const _Atomic bool *stop);

/* What is left when both threads are through, one a call; then NULL. */
void *message_queue_take(struct message_queue *);

#endif
