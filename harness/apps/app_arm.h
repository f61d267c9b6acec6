/* app_arm.h - an allocator as something to preload into a real program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_ARM_H
#define HEAPYARD_APP_ARM_H

#include "row.h"
#include "spec.h"

enum { APP_ARM_PATH = 4096 };

struct app_arm {
    char allocator[SPEC_NAME_MAX]; /* as the user named it */
    enum status status;            /* STATUS_OK, or why it cannot be used */
    char note[160];
    char preload[2 * APP_ARM_PATH]; /* for LD_PRELOAD: witness, library */
    char want[APP_ARM_PATH];        /* what must serve malloc: a file, "libc",
                                       or "" for what the program has */
    char knobs[SPEC_NAME_MAX];      /* of our own backends, or "" */
};

/* Fill an arm by its name: "system" is the C library, preloaded, since a
 * program may be linked with another; "own" is what the program has; one of our
 * malloc libraries, NAME[:KNOB=VALUE…]; a known library, or a path.
 *
 * What cannot be used here has a status and a note.  Returns 0, or EINVAL and
 * why if nothing is called that. */
int app_arm_find(const char *name, struct app_arm *out, char *why,
                 size_t why_size);

/* The allocators that are tried without being named, ended by NULL. */
extern const char *const app_arm_presets[];

#endif
