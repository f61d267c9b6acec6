/* message_move.h - bytes that the kernel moves.
 *
 * Pages that go from one range of addresses to another, and bytes that go
 * through a pipe, by two copies or by one.
 *
 * Source: mremap(2), pipe(7), vmsplice(2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MESSAGE_MOVE_H
#define HEAPYARD_MESSAGE_MOVE_H

#include <stdbool.h>
#include <stddef.h>

/* Pages of their own; NULL: no memory. */
void *message_pages_new(size_t bytes);
void message_pages_drop(void *, size_t bytes);
/* The same bytes at another address: the pages are moved, nothing is copied.
 * The old range is gone.  NULL: no memory, and the old range is as it was. */
void *message_pages_move(void *, size_t bytes);

/* A pipe that one thread both fills and empties. */
struct message_pipe {
    int in, out;
};

/* Returns 0 or an errno. */
int message_pipe_open(struct message_pipe *);
void message_pipe_close(struct message_pipe *);
/* Send bytes through it: written and read, which copies them twice; or lent
 * (vmsplice) and read, which copies them once.  They are through when it
 * returns, so that `from` may be freed.  Returns 0 or an errno. */
int message_pipe_pass(const struct message_pipe *, void *to, const void *from,
                      size_t bytes, bool is_lent);

#endif
