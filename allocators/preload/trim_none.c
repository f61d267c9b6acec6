/* trim_none.c - of backends that cannot give memory back on demand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fast_path.h"

bool heap_trim(struct heap *heap)
{
    (void)heap;
    return false;
}
