/* size_class.h - size classes: sixteens to 128 bytes, then eight a doubling.
 *
 *   class    1   2      8   9  10      16  17      24
 *   bytes   16  32 ... 128 144 160 ... 256 288 ... 512 ...
 *
 * So a block wastes at most an eighth of itself (above 128 bytes), and every
 * size is a multiple of 16.
 *
 * Source of the scheme: J. Evans, "A Scalable Concurrent malloc(3)
 * Implementation for FreeBSD", BSDCan 2006 (there four a doubling).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SIZE_CLASS_H
#define HEAPYARD_SIZE_CLASS_H

#include <stddef.h>

enum {
    SIZE_CLASS_STEP = 16,     /* bytes between the smallest classes */
    SIZE_CLASS_LINEAR = 128,  /* bytes; up to here classes are steps */
    SIZE_CLASS_MAX = 64 << 10 /* bytes of the largest class */
};

/* The smallest class whose blocks hold `size` bytes (at most
 * SIZE_CLASS_MAX); 1 or more. */
static inline unsigned size_class_of(size_t size)
{
    if (size <= SIZE_CLASS_LINEAR)
        return size ? (unsigned)((size + 15) >> 4) : 1;
    const unsigned top = 63 - (unsigned)__builtin_clzl(size - 1);
    return (top - 6) * 8 + (unsigned)((size - 1) >> (top - 3)) - 7;
}

/* Bytes of a block of class 1 or more. */
static inline size_t size_class_bytes(unsigned c)
{
    if (c <= 8)
        return (size_t)c * SIZE_CLASS_STEP;
    const unsigned doubling = (c - 1) / 8; /* 1: 144 to 256 */
    return (size_t)(8 + (c - 1) % 8 + 1) << (doubling + 3);
}

/* The same schemes with 2^s classes a doubling (s of 1 to 4): steps of 16 to
 * 16 * 2^s bytes, then 2^s a doubling.  s = 3 is the one above. */
static inline unsigned size_class_spaced(size_t size, unsigned s)
{
    if (size <= (size_t)SIZE_CLASS_STEP << s)
        return size ? (unsigned)((size + 15) >> 4) : 1;
    const unsigned top = 63 - (unsigned)__builtin_clzl(size - 1);
    return ((top - 3 - s) << s) + (unsigned)((size - 1) >> (top - s)) -
           ((1u << s) - 1);
}

static inline size_t size_class_bytes_spaced(unsigned c, unsigned s)
{
    const unsigned each = 1u << s;
    if (c <= each)
        return (size_t)c * SIZE_CLASS_STEP;
    return (size_t)(each + ((c - 1) & (each - 1)) + 1) << (((c - 1) >> s) + 3);
}

/* How many classes there are, and one for the unused class 0. */
enum { SIZE_CLASSES = 8 + 9 * 8 + 1 };

#endif
