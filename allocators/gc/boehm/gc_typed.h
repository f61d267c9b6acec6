/* gc_typed.h - objects that say which of their words may be pointers.
 *
 * A descriptor stands for a bitmap.  Objects of up to 512 bytes with one are
 * scanned by it; larger ones conservatively, unless the bitmap is empty.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_TYPED_H
#define GC_TYPED_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef GC_word *GC_bitmap;
typedef GC_word GC_descr;

#define GC_WORDSZ           (8 * sizeof(GC_word))
#define GC_get_bit(bits, i) (((bits)[(i) / GC_WORDSZ] >> ((i) % GC_WORDSZ)) & 1)
#define GC_set_bit(bits, i)                                                    \
    ((bits)[(i) / GC_WORDSZ] |= (GC_word)1 << ((i) % GC_WORDSZ))
#define GC_WORD_OFFSET(type, field) (offsetof(type, field) / sizeof(GC_word))
#define GC_WORD_LEN(type)           (sizeof(type) / sizeof(GC_word))
#define GC_BITMAP_SIZE(type)        ((GC_WORD_LEN(type) + GC_WORDSZ - 1) / GC_WORDSZ)

/* bits[length bits]: bit i is set if word i may be a pointer; words beyond are
 * not.  Once for a type: descriptors are not given back. */
GC_API GC_descr GC_make_descriptor(const GC_word *bits, size_t length);
/* Zeroed.  Not for GC_realloc. */
GC_API void *GC_malloc_explicitly_typed(size_t bytes, GC_descr);
GC_API void *GC_malloc_explicitly_typed_ignore_off_page(size_t bytes, GC_descr);
/* An array: scanned conservatively unless the bitmap is empty. */
GC_API void *GC_calloc_explicitly_typed(size_t count, size_t bytes, GC_descr);

#define GC_MALLOC_EXPLICITLY_TYPED(bytes, d)                                   \
    GC_malloc_explicitly_typed(bytes, d)
#define GC_CALLOC_EXPLICITLY_TYPED(n, bytes, d)                                \
    GC_calloc_explicitly_typed(n, bytes, d)

#ifdef __cplusplus
}
#endif
#endif
