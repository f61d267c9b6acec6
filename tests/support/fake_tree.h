/* fake_tree.h - a folder that stands for / in a test: its own /proc and /sys.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FAKE_TREE_H
#define HEAPYARD_FAKE_TREE_H

struct fake_tree {
    char root[256];
};

/* An empty one; a failure of any of these aborts the test. */
void fake_tree_open(struct fake_tree *);
/* Write a file ("proc/stat") with the folders above it. */
void fake_tree_put(const struct fake_tree *, const char *path,
                   const char *text);
/* Remove a file that is there. */
void fake_tree_drop(const struct fake_tree *, const char *path);
/* Remove all. */
void fake_tree_close(const struct fake_tree *);

#endif
