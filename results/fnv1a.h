/* fnv1a.h - a hash of bytes, 64 bits.
 *
 * Source: Fowler, Noll, Vo & Eastlake, "The FNV Non-Cryptographic Hash
 * Algorithm", draft-eastlake-fnv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FNV1A_H
#define HEAPYARD_FNV1A_H

#include <stddef.h>
#include <stdint.h>

/* Of no bytes. */
#define FNV1A_START UINT64_C(0xcbf29ce484222325)

/* The hash h, of what came before, with bytes[n] behind it. */
static inline uint64_t fnv1a(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *const p = bytes;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

#endif
