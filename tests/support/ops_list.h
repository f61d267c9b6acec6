/* ops_list.h - operations in an array: what a source played, or will play.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OPS_LIST_H
#define HEAPYARD_OPS_LIST_H

#include <stddef.h>

#include "op.h"

/* A sink that keeps what it is given, and a source that plays it again. */
struct ops_list {
    struct op_sink sink; /* first: put casts back */
    struct trace_source source;
    struct op *ops; /* [n]; names are borrowed from the source */
    size_t n, room;
};

/* Whether they are the same; the names of marks are not looked at. */
int ops_same(const struct op *, const struct op *);

/* An empty list. */
void ops_list_init(struct ops_list *);
/* A list of what the source plays.  Returns its error. */
int ops_list_fill(struct ops_list *, const struct trace_source *);
void ops_list_free(struct ops_list *);

/* A source that plays an array of the caller's. */
struct ops_array {
    struct trace_source source; /* first: play casts back */
    const struct op *ops;
    size_t n;
};
struct ops_array ops_array(const struct op *ops, size_t n);

#endif
