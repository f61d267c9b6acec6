/* boehm_dying.c - finalizers and disappearing links by Boehm's gc.h.
 *
 * Prints what happened, in words that any collector that is right prints too:
 * where a conservative one may keep some by chance, only whether most died.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <gc.h>
#include <stdio.h>
#include <string.h>

enum { OBJECTS = 400 };

static int runs, links_were_null, saved;
static void *weak[OBJECTS], *resurrected;
static char order[8];

static const char *amount(int n)
{
    return n == 0 ? "none" : n >= OBJECTS * 9 / 10 ? "most" : "some";
}

/* Collect with little of what was before left on the stack. */
static void collect(void)
{
    char wiped[4096];

    memset(wiped, 0, sizeof wiped);
    __asm__ volatile("" : : "r"(wiped) : "memory");
    for (int i = 0; i < 3; i++) {
        GC_gcollect();
        GC_invoke_finalizers();
    }
}

static void count(void *object, void *data)
{
    const long i = *(long *)object;

    runs++;
    links_were_null += weak[i] == NULL;
    saved += data == &runs;
}

__attribute__((noinline)) static void make_dying(void)
{
    for (long i = 0; i < OBJECTS; i++) {
        long *p = GC_MALLOC_ATOMIC(64);

        *p = i;
        weak[i] = (void *)GC_HIDE_POINTER(p);
        GC_general_register_disappearing_link(&weak[i], p);
        GC_REGISTER_FINALIZER(p, count, &runs, NULL, NULL);
    }
}

static void try_dying(void)
{
    make_dying();
    collect();
    printf("finalized: %s, links gone before: %s, data right: %s\n",
           amount(runs), amount(links_were_null), amount(saved));
}

static void note(void *object, void *data)
{
    (void)object;
    strncat(order, data, 1);
}

struct pair {
    struct pair *other;
    long filler[5];
};

/* Many chains, for one may be kept by chance; b before what it points to. */
__attribute__((noinline)) static void make_chain(void)
{
    struct pair *a = GC_NEW(struct pair), *b = GC_NEW(struct pair);

    b->other = a;
    GC_REGISTER_FINALIZER_IGNORE_SELF(a, note, "a", NULL, NULL);
    GC_REGISTER_FINALIZER_IGNORE_SELF(b, note, "b", NULL, NULL);
    a->other = a;
}

__attribute__((noinline)) static void wipe(int depth)
{
    volatile char wiped[1024];

    for (size_t i = 0; i < sizeof wiped; i++)
        wiped[i] = 0;
    if (depth)
        wipe(depth - 1);
}

static void try_order(void)
{
    make_chain();
    wipe(30);
    collect();
    printf("order: %s\n", order);
}

static void resurrect(void *object, void *data)
{
    (void)data;
    resurrected = object;
}

__attribute__((noinline)) static void make_phoenix(void)
{
    char *p = GC_MALLOC(100);

    strcpy(p, "back again");
    GC_REGISTER_FINALIZER_NO_ORDER(p, resurrect, NULL, NULL, NULL);
}

static void try_resurrection(void)
{
    make_phoenix();
    wipe(30);
    collect();
    for (int i = 0; i < 20000; i++)
        memset(GC_MALLOC_ATOMIC(100), 'x', 100);
    printf("resurrected: %s\n",
           resurrected ? (const char *)resurrected : "nothing");
}

/* What registering, moving and taking back return. */
static void try_results(void)
{
    static void *link, *moved;
    GC_finalization_proc old = NULL;
    void *old_data = NULL;
    char *p = GC_MALLOC(48);

    GC_REGISTER_FINALIZER(p, note, "x", NULL, NULL);
    GC_REGISTER_FINALIZER(p, NULL, NULL, &old, &old_data);
    printf("old finalizer: %d %s\n", old == note, (char *)old_data);
    link = (void *)GC_HIDE_POINTER(p);
    printf("links: %d", GC_general_register_disappearing_link(&link, p));
    printf(" %d", GC_general_register_disappearing_link(&link, p));
    moved = link;
    printf(" %d", GC_move_disappearing_link(&link, &moved));
    printf(" %d", GC_move_disappearing_link(&link, &moved));
    printf(" %d", GC_unregister_disappearing_link(&link));
    printf(" %d\n", GC_unregister_disappearing_link(&moved));
    printf("kept: %d\n", GC_REVEAL_POINTER(moved) == (void *)p);
    GC_reachable_here(p);
}

static void try_on_demand(void)
{
    const int before = runs;

    GC_set_finalize_on_demand(1);
    make_dying();
    wipe(30);
    GC_gcollect();
    printf("on demand: %s ran", amount(runs - before));
    printf(", %d ready", GC_should_invoke_finalizers() != 0);
    GC_invoke_finalizers();
    printf(", then %s\n", amount(runs - before));
}

int main(void)
{
    GC_INIT();
    try_dying();
    try_order();
    try_resurrection();
    try_results();
    try_on_demand();
    return 0;
}
