/* folders.h - where results go.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FOLDERS_H
#define HEAPYARD_FOLDERS_H

#include <stddef.h>

/* The folder of a result that the user has not named:
 * "results/out/20261125-051536-WHAT", by local time, or "...-WHAT-2" and so on
 * where that of the same second is there already. */
void folder_name(const char *what, char *out, size_t size);

/* Make a folder and all above it.  Returns 0 or an errno. */
int make_folders(const char *path);

#endif
