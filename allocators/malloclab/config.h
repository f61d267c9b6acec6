/* config.h - the constants that solutions of the malloc lab may use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MALLOCLAB_CONFIG_H
#define HEAPYARD_MALLOCLAB_CONFIG_H

#ifndef ALIGNMENT
#define ALIGNMENT 16 /* bytes: enough for every handout */
#endif
#define MAX_HEAP (100 * (1 << 20)) /* bytes */

#endif
