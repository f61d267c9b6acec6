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
void check_close(struct check_state *);

#endif
