/* collections.h - one row of collections.csv: one collection of one run.
 *
 * collections.schema.json says the columns to machines.  What a collector
 * cannot say is an empty field, never 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COLLECTIONS_H
#define HEAPYARD_COLLECTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct collection_row {
    char allocator[200]; /* with its knobs, as far as the writer knows */
    uint64_t number;     /* of the collection, in its heap; from 1 */
    /* NAN: the collector cannot say.  All but begin are as struct
     * collection_event (allocators/collection.h) says. */
    double begin; /* ns since the run began */
    double stop, mark, finish;
    double marked_objects, marked_bytes;
    double live, allocated, heap, freed, moved; /* bytes */
    char kind[16];                              /* minor, full or compacting */
    char reason[16];                            /* budget, limit or asked; "" */
    uint32_t threads, markers;
};

/* Returns 0 or an errno. */
int collections_write_header(FILE *);
int collections_write(FILE *, const struct collection_row *);

/* Rows of a file. */
struct collections {
    struct collection_row *row; /* [n] */
    size_t n;
};

/* Read them all.  Returns 0, EBADMSG and why "FILE:LINE: …", ENOMEM, or the
 * errno of the file (why is its name). */
int collections_read(const char *path, struct collections *out, char *why,
                     size_t why_size);
void collections_free(struct collections *);

/* The whole pause: what of stop, mark and finish is known. */
double collection_pause(const struct collection_row *);

#endif
