/* scratch.h - a folder of its own for a test that writes files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SCRATCH_H
#define HEAPYARD_SCRATCH_H

#include <stddef.h>

struct scratch {
    char dir[256];
};

/* Make an empty folder, in $TMPDIR or /tmp.  Aborts if that cannot be: the
 * test could prove nothing. */
void scratch_open(struct scratch *);
/* Remove it and the files in it (it holds no folders). */
void scratch_close(struct scratch *);

/* dir/name in path[size]; returns path. */
char *scratch_path(const struct scratch *, const char *name, char *path,
                   size_t size);
/* How many files are in it. */
size_t scratch_count(const struct scratch *);
/* Write bytes[n] to the file `name`. */
void scratch_write(const struct scratch *, const char *name, const void *bytes,
                   size_t n);
/* Read up to size bytes of it; returns how many it has. */
size_t scratch_read(const struct scratch *, const char *name, void *bytes,
                    size_t size);

#endif
