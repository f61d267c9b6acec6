/* pattern.h - bytes that a block is filled with, to see who else writes there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PATTERN_H
#define HEAPYARD_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* From one block's tag to the next one's: odd and with mixed bits, so that even
 * the first byte differs from one block to the next 255. */
#define PATTERN_STEP UINT64_C(0xd1342543de82ef95)

void pattern_fill(char *q, size_t size, uint64_t tag);
/* The offset of the first byte that is not as filled, or size. */
size_t pattern_first_wrong(const char *q, size_t size, uint64_t tag);

#endif
