/* boehm_objects.c - objects by Boehm's gc.h: sizes, kinds, types, roots.
 *
 * Prints the same with any collector that is right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <gc.h>
#include <gc_mark.h>
#include <gc_typed.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {0,    1,    15,   16,    17,     100,    511,
                               2048, 4095, 8192, 40000, 100000, 3000000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static int is_zero(const char *p, size_t n)
{
    while (n > 0 && !p[n - 1])
        n--;
    return n == 0;
}

static void try_sizes(void)
{
    int good = 0;

    for (size_t i = 0; i < SIZES; i++) {
        char *p = GC_MALLOC(sizes[i]);
        char *q = GC_MALLOC_ATOMIC(sizes[i]);

        good += is_zero(p, sizes[i]) && GC_size(p) >= sizes[i] &&
                GC_base(p + sizes[i] / 2) == p && GC_base(q) == q &&
                (uintptr_t)p % 16 == 0 && GC_is_heap_ptr(q);
        memset(q, 1, sizes[i]);
        p = GC_REALLOC(p, 2 * sizes[i] + 1);
        good += is_zero(p, sizes[i]);
        GC_FREE(p);
    }
    printf("sizes: %d of %d\n", good, 2 * SIZES);
    printf("no object: %d %d\n", GC_base(&good) == NULL, GC_is_heap_ptr(&good));
}

static void try_alignment(void)
{
    void *p = NULL;
    int good = 0;

    for (size_t align = 16; align <= 4096; align *= 2)
        good += (uintptr_t)GC_memalign(align, 100) % align == 0;
    good += GC_posix_memalign(&p, 64, 1000) == 0 && (uintptr_t)p % 64 == 0;
    printf("aligned: %d\n", good);
    printf("copies: %s %s\n", GC_STRDUP("a copy"), GC_STRNDUP("cut off", 3));
}

struct typed {
    void *pointer;
    uintptr_t number;
    void *other;
    char tail[40];
};

enum { TYPED = 300 };

static void *links[2][TYPED];

/* What a typed object's pointers reach lives, and what only its numbers do
 * dies. */
__attribute__((noinline)) static struct typed **make_typed(GC_descr d)
{
    struct typed **all = GC_MALLOC(TYPED * sizeof *all);

    for (int i = 0; i < TYPED; i++) {
        void *kept = GC_MALLOC(32), *lost = GC_MALLOC(32);

        all[i] = GC_MALLOC_EXPLICITLY_TYPED(sizeof **all, d);
        all[i]->other = kept;
        all[i]->number = (uintptr_t)lost;
        links[0][i] = (void *)GC_HIDE_POINTER(kept);
        links[1][i] = (void *)GC_HIDE_POINTER(lost);
        GC_general_register_disappearing_link(&links[0][i], kept);
        GC_general_register_disappearing_link(&links[1][i], lost);
    }
    return all;
}

static int alive(void *const *link)
{
    int n = 0;

    for (int i = 0; i < TYPED; i++)
        n += link[i] != NULL;
    return n;
}

static void try_typed(void)
{
    GC_word bits[GC_BITMAP_SIZE(struct typed)] = {0};

    GC_set_bit(bits, GC_WORD_OFFSET(struct typed, pointer));
    GC_set_bit(bits, GC_WORD_OFFSET(struct typed, other));
    struct typed **all =
        make_typed(GC_make_descriptor(bits, GC_WORD_LEN(struct typed)));

    GC_gcollect();
    GC_gcollect();
    printf("typed: %d kept, %s lost\n", alive(links[0]),
           alive(links[1]) < TYPED / 10 ? "most" : "few");
    GC_reachable_here(all);
    char *array =
        GC_CALLOC_EXPLICITLY_TYPED(100, 24, GC_make_descriptor(bits, 1));

    printf("array: %d\n", is_zero(array, 2400));
}

/* Objects whose mark procedure takes only the first word. */
static struct GC_ms_entry *mark_first(GC_word *object, struct GC_ms_entry *top,
                                      struct GC_ms_entry *limit, GC_word env)
{
    if (env == 5 && object[0])
        top = GC_MARK_AND_PUSH((void *)object[0], top, limit,
                               (void **)(void *)object);
    return top;
}

__attribute__((noinline)) static void **make_marked(int kind)
{
    void **first = NULL;

    for (int i = 0; i < TYPED; i++) {
        void **p = GC_generic_malloc(32, kind);

        p[0] = first;
        p[1] = GC_MALLOC(32);
        links[0][i] = (void *)GC_HIDE_POINTER(p);
        links[1][i] = (void *)GC_HIDE_POINTER(p[1]);
        GC_general_register_disappearing_link(&links[0][i], p);
        GC_general_register_disappearing_link(&links[1][i], p[1]);
        first = p;
    }
    return first;
}

static void try_kinds(void)
{
    const unsigned proc = GC_new_proc(mark_first);
    const unsigned kind =
        GC_new_kind(GC_new_free_list(), GC_MAKE_PROC(proc, 5), 0, 1);
    void **first = make_marked((int)kind);

    GC_gcollect();
    GC_gcollect();
    printf("kind: %d kept, %s lost\n", alive(links[0]),
           alive(links[1]) < TYPED / 10 ? "most" : "few");
    GC_reachable_here(first);
}

/* Memory of malloc is no root until it is added. */
static void try_roots(void)
{
    void **root = malloc(TYPED * sizeof *root);

    GC_add_roots(root, root + TYPED);
    for (int i = 0; i < TYPED; i++) {
        root[i] = GC_MALLOC(64);
        memset(root[i], 7, 64);
        links[0][i] = (void *)GC_HIDE_POINTER(root[i]);
        GC_general_register_disappearing_link(&links[0][i], root[i]);
    }
    GC_gcollect();
    printf("added root: %d kept", alive(links[0]));
    GC_remove_roots(root, root + TYPED);
    GC_gcollect();
    GC_gcollect();
    printf(", removed: %s lost\n",
           alive(links[0]) < TYPED / 10 ? "most" : "few");
    free(root);
}

static void try_uncollectable(void)
{
    void **p = GC_MALLOC_UNCOLLECTABLE(16);
    const GC_hidden_pointer hidden = GC_HIDE_POINTER(p);

    *p = GC_STRDUP("held");
    p = NULL;
    GC_gcollect();
    for (int i = 0; i < 10000; i++)
        memset(GC_MALLOC_ATOMIC(16), 'x', 16);
    p = GC_REVEAL_POINTER(hidden);
    printf("uncollectable: %s\n", (char *)*p);
    GC_FREE(p);
}

static void try_many(void)
{
    int good = 0;

    for (void *p = GC_malloc_many(48), *next; p; p = next) {
        next = GC_NEXT(p);
        GC_NEXT(p) = NULL;
        good += is_zero(p, 48) && GC_base(p) == p;
    }
    printf("many: %d\n", good > 1);
}

static int refuse(void)
{
    return 1;
}

static void try_collecting(void)
{
    const GC_word before = GC_get_gc_no();

    GC_disable();
    GC_gcollect();
    printf("disabled: %d %d", GC_get_gc_no() == before, GC_is_disabled());
    GC_enable();
    printf(", stopped: %d", GC_try_to_collect(refuse));
    GC_gcollect();
    printf(", enabled: %d\n", GC_get_gc_no() > before);
    printf("version 8.2: %d\n", GC_get_version() >> 8 == (8 << 8 | 2));
}

int main(void)
{
    GC_INIT();
    try_sizes();
    try_alignment();
    try_typed();
    try_kinds();
    try_roots();
    try_uncollectable();
    try_many();
    try_collecting();
    return 0;
}
