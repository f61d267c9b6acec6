/* check_ops.h - the live blocks that the check replayer knows of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CHECK_OPS_H
#define HEAPYARD_CHECK_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "player.h"

struct check_state; /* replay_config.common */

/* Room for `blocks` live ones.  Returns 0 or ENOMEM.  No malloc. */
int check_open(size_t blocks, struct check_state **out);
/* After the replay: verify every block that is left; p names the heap and
 * where to report.  Returns how many there were. */
size_t check_left(struct check_state *, struct player *p);
/* How tightly the live blocks are packed, right now. */
struct check_packing {
    uint64_t blocks, requested, usable; /* exact; bytes */
    uint64_t page_bytes; /* of the distinct 4 KiB pages that they touch */
};
/* Returns 0 or ENOMEM.  O(live bytes / 4096 + blocks); no malloc. */
int check_pack(struct check_state *, struct check_packing *out);

/* Most bytes that were live at once in this replay: exact. */
uint64_t check_peak(const struct check_state *);

void check_close(struct check_state *);

#endif
