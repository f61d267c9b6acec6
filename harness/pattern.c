/* pattern.c - bytes that a block is filled with, to see who else writes there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pattern.h"

#include <string.h>

static uint64_t word_at(uint64_t tag, size_t index)
{
    return (tag + index) * UINT64_C(0x9e3779b97f4a7c15);
}

void pattern_fill(char *q, size_t size, uint64_t tag)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t w = word_at(tag, i);

        memcpy(q + i, &w, size - i < 8 ? size - i : 8);
    }
}

size_t pattern_first_wrong(const char *q, size_t size, uint64_t tag)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t w = word_at(tag, i);
        size_t n = size - i < 8 ? size - i : 8;

        if (!memcmp(q + i, &w, n))
            continue;
        for (size_t k = 0; k < n; k++)
            if (q[i + k] != (char)(w >> (8 * k)))
                return i + k;
        return i;
    }
    return size;
}
