/* native_play.h - runs a native workload where a trace would be played.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_NATIVE_PLAY_H
#define HEAPYARD_NATIVE_PLAY_H

#include "native.h"
#include "replay.h"

/* What each thread is given; config->trace->native names the workload.
 * native[] must be zeroed, and a root of the heap. */
void native_open(const struct replay_config *, struct native native[]);

/* Of the workload; failures end the process as player_fail does: NULL as
 * nomem, a wrong result as corrupt, and a hook that is missing as skip.
 * prepare is for thread 0, before anybody runs; finish is too, after all. */
void native_prepare(struct player *, struct native native[]);
void native_run(struct player *);
void native_finish(const struct player *);

#endif
