/* record_images.h - the images in a spool folder, and archives made of them.
 *
 * An image is a process between its exec and its end or next exec; a fork
 * child is an image of its own (spool.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RECORD_IMAGES_H
#define HEAPYARD_RECORD_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool.h"

enum { IMAGE_NAME_MAX = 64, IMAGE_PROGRAM_MAX = 64 };

struct image {
    char name[IMAGE_NAME_MAX];       /* "PID.N", the files' */
    char program[IMAGE_PROGRAM_MAX]; /* file name of the executable */
    long pid;
    unsigned number;  /* of the images of this pid, in time */
    uint64_t bytes;   /* of raw records */
    bool is_running;  /* its process has not ended */
    bool has_own_new; /* C++ new and delete of this program were not seen */
    int stop_errno;   /* why recording ended early, or 0 */
    int err;          /* why the image cannot be read, or 0 */
};

struct image_list {
    struct image *image; /* [n], by pid and number */
    size_t n;
};

/* List the images of a spool folder.  Returns 0, ENOMEM, or the errno of the
 * folder, which why[why_size] names.  image_list_free in every case. */
int image_list_read(const char *folder, struct image_list *out, char *why,
                    size_t why_size);
void image_list_free(struct image_list *);

/* What goes into every archive of a recording. */
struct archive_order {
    const char *spool;             /* folder */
    const char *licence, *comment; /* NULL: none */
    int level;                     /* of zstd */
};

/* What came of one image. */
struct archived {
    struct spool_counts counts;
    unsigned threads;
    uint64_t events; /* operations on blocks: allocations, frees, resizes */
    uint64_t bytes;  /* of the archive */
    double seconds;
    char allocator[SPOOL_TEXT];
};

/* Play the image twice, first to count for the provenance, then into an
 * archive at path.
 *
 * Returns 0; EINTR if record_is_stopped (nothing is left at path); ENODATA if
 * it has no events; EINVAL for bad text in the provenance; or what
 * spool_open, its play or the archive returned.  why[why_size] says it. */
int image_archive(const struct image *, const struct archive_order *,
                  const char *path, struct archived *out, char *why,
                  size_t why_size);

#endif
