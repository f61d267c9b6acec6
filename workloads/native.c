/* native.c - what native workloads share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native.h"

#include <errno.h>
#include <stdlib.h>

void native_shape(const struct native_memory *memory, size_t bytes,
                  const bool word_is_pointer[], struct native_shape *out)
{
    *out = (struct native_shape){.bytes = bytes};
    if (memory->layout_add && memory->alloc_layout)
        out->has_layout = !memory->layout_add(memory->heap, bytes,
                                              word_is_pointer, &out->layout);
}

int native_prepare_shape(struct native *n, size_t bytes,
                         const bool word_is_pointer[], void **shared)
{
    struct native_shape *shape = malloc(sizeof *shape);

    if (!shape)
        return ENOMEM;
    native_shape(&n->memory, bytes, word_is_pointer, shape);
    *shared = shape;
    return 0;
}

void native_free_shared(struct native *n)
{
    free(n->shared);
}

void native_thread_init(struct native_thread *t, const struct native *parent,
                        int (*run)(struct native *))
{
    *t = (struct native_thread){.native = *parent, .run = run};
    t->native.allocs = t->native.bytes = t->native.cpu_ns = 0;
}

static void *thread_main(void *arg)
{
    struct native_thread *t = arg;
    struct native *n = &t->native;

    t->err = n->enter ? n->enter(n) : 0;
    if (t->err)
        return NULL;
    t->err = t->run(n);
    if (n->leave)
        n->leave(n);
    return NULL;
}

int native_thread_start(struct native_thread *t)
{
    return pthread_create(&t->id, NULL, thread_main, t);
}

int native_thread_await(struct native_thread *t, struct native *parent)
{
    pthread_join(t->id, NULL);
    parent->allocs += t->native.allocs;
    parent->bytes += t->native.bytes;
    parent->cpu_ns += t->native.cpu_ns;
    return t->err;
}

uint64_t native_scaled(const struct native *n, double count)
{
    double scaled = count * n->scale;

    return scaled > 1 ? (uint64_t)scaled : 1;
}

void native_scrub(void)
{
    enum { BYTES = 32768 };
    unsigned char stack[BYTES];
    volatile unsigned char *byte = stack; /* the stores are not left out */

    for (size_t i = 0; i < BYTES; i++)
        byte[i] = 0;
}
