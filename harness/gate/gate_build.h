/* gate_build.h - the program of the baseline: a build, or made from a commit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_BUILD_H
#define HEAPYARD_GATE_BUILD_H

#include "gate_run.h"

/* Take `path` as the baseline's build: a heapyard, or a folder with one in it
 * or in build/release below it.  Returns 0, or ENOENT and why. */
int gate_build_use(const char *path, struct gate_side *out, char *why,
                   size_t why_size);

/* Check out `ref` of the source tree that this program was built from below
 * `folder`, build it there, and take it.  What the build says goes to
 * folder/build.log.  Takes a minute.  Returns 0; EINVAL for a ref that git
 * does not know; ECHILD if it cannot be built; EINTR if exec_stop was set; or
 * an errno; and why. */
int gate_build_ref(const char *ref, const char *folder, struct gate_side *out,
                   char *why, size_t why_size);

#endif
