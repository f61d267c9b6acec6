/* native.c - what native workloads share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native.h"

void native_shape(const struct native_memory *memory, size_t bytes,
                  const bool word_is_pointer[], struct native_shape *out)
{
    *out = (struct native_shape){.bytes = bytes};
    if (memory->layout_add && memory->alloc_layout)
        out->has_layout = !memory->layout_add(memory->heap, bytes,
                                              word_is_pointer, &out->layout);
}
