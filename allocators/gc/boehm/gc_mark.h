/* gc_mark.h - what runtimes of languages use of Boehm's collector.
 *
 * Kinds of objects may be added.  A kind whose descriptor is the length 0 and
 * is not adjusted holds no pointers.  Of one with a mark procedure, that is
 * called when the object is reached, and nothing else in the object is looked
 * at; it must be registered before the kind.  Any other kind is scanned
 * conservatively.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_MARK_H
#define GC_MARK_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GC_I_PTRFREE, GC_I_NORMAL };

struct GC_ms_entry {
    void *opaque;
};
typedef __typeof__(struct GC_ms_entry *) (*GC_mark_proc)(
    GC_word *object, struct GC_ms_entry *top, struct GC_ms_entry *limit,
    GC_word env);

#define GC_PROC_BYTES          100
#define GC_LOG_MAX_MARK_PROCS  6
#define GC_MAX_MARK_PROCS      (1 << GC_LOG_MAX_MARK_PROCS)
#define GC_RESERVED_MARK_PROCS 8
#define GC_DS_TAG_BITS         2
#define GC_DS_TAGS             ((1 << GC_DS_TAG_BITS) - 1)
#define GC_DS_LENGTH           0
#define GC_DS_BITMAP           1
#define GC_DS_PROC             2
#define GC_DS_PER_OBJECT       3
#define GC_INDIR_PER_OBJ_BIAS  0x10
#define GC_MAKE_PROC(index, env)                                               \
    (((((env) << GC_LOG_MAX_MARK_PROCS) | (index)) << GC_DS_TAG_BITS) |        \
     GC_DS_PROC)
#define GC_MARK_AND_PUSH(p, top, limit, from)                                  \
    GC_mark_and_push(p, top, limit, from)

/* Any address may be of the heap, so all are plausible. */
GC_API void *GC_least_plausible_heap_addr;
GC_API void *GC_greatest_plausible_heap_addr;

GC_API void **GC_new_free_list(void);
GC_API void **GC_new_free_list_inner(void);
/* Returns the kind's number.  More than 32 end the process with a message. */
GC_API unsigned GC_new_kind(void **free_list, GC_word descriptor, int adjust,
                            int clear);
GC_API unsigned GC_new_kind_inner(void **, GC_word, int, int);
/* Called in collections, which the program is in the midst of: it may call
 * GC_mark_and_push only, with what it is given. */
GC_API unsigned GC_new_proc(GC_mark_proc);
GC_API unsigned GC_new_proc_inner(GC_mark_proc);
GC_API struct GC_ms_entry *GC_mark_and_push(void *, struct GC_ms_entry *top,
                                            struct GC_ms_entry *limit,
                                            void **from);
GC_API size_t GC_get_debug_header_size(void); /* 0 */

GC_API void *GC_generic_malloc(size_t bytes, int kind);
GC_API void *GC_generic_malloc_ignore_off_page(size_t bytes, int kind);
GC_API void *GC_malloc_kind(size_t bytes, int kind);
GC_API void *GC_malloc_kind_global(size_t bytes, int kind);
GC_API void *GC_generic_malloc_uncollectable(size_t bytes, int kind);
/* As GC_malloc_many; all but normal ones come one at a time. */
GC_API void GC_generic_malloc_many(size_t bytes, int kind, void **result);

typedef void (*GC_push_other_roots_proc)(void);
/* Called when roots are marked, the world standing.  A program that sets its
 * own calls the one that was set before. */
GC_BOEHM_SETTING(GC_push_other_roots_proc, push_other_roots);
/* From there only. */
GC_API void GC_push_all(void *begin, void *end);
GC_API void GC_push_all_eager(void *begin, void *end);
GC_API void GC_push_conditional(void *begin, void *end, int all);
/* From there: keeps the object and what it points to. */
GC_API void GC_set_mark_bit(const void *object);
GC_API void GC_clear_mark_bit(const void *object);
/* Whether the last collection reached it, or it is younger. */
GC_API int GC_is_marked(const void *object);

typedef void (*GC_reachable_object_proc)(void *object, size_t bytes, void *arg);
/* What the last collection reached.  Not under GC_call_with_alloc_lock. */
GC_API void GC_enumerate_reachable_objects_inner(GC_reachable_object_proc,
                                                 void *arg);

#ifdef __cplusplus
}
#endif
#endif
