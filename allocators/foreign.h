/* foreign.h - malloc libraries of others: found, checked, and proved live.
 *
 * Before a run foreign_find() turns a name or a path into a file that can be
 * preloaded.  In the process that has it preloaded foreign_verify() proves
 * that it is this very file that serves malloc, and foreign_served_by() says
 * so in words for the record.  A library that is missing, of another machine,
 * or not in use is an error with a reason, never a silent measurement of
 * something else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FOREIGN_H
#define HEAPYARD_FOREIGN_H

#include <stddef.h>

enum { FOREIGN_WHY_MAX = 512 }; /* bytes that hold any reason given here */

/* The names that foreign_find knows, ended by NULL. */
extern const char *const foreign_names[];

/* The Debian package of one of them, or NULL. */
const char *foreign_package(const char *name);

/* Find a library that can be preloaded as malloc.
 *
 * name  one of foreign_names, searched in the system's library folders and in
 *       the dynamic linker's cache; or a path, if it has a '/'
 * path  gets the absolute path of the file, symbolic links resolved
 *
 * Returns 0; ENOENT if there is no such name or file (`why` then names the
 * package that has it); EINVAL if the file cannot be preloaded here: no ELF
 * shared object of our machine, no malloc and free in it, or a path that
 * LD_PRELOAD cannot carry; ENAMETOOLONG if path_size is too small; or the
 * errno of the file.  On error why[why_size] is one line. */
int foreign_find(const char *name, char *path, size_t path_size, char *why,
                 size_t why_size);

/* Check that the file at `path` is an ELF shared object of this machine that
 * defines malloc and free, by reading it, without loading it.  The file may
 * be hostile.  Returns as foreign_find does. */
int foreign_check(const char *path, char *why, size_t why_size);

/* In this process: the file name and version of what serves malloc, such as
 * "libjemalloc.so.2 5.3.0-0-g54eaed1d", in out[size], cut to fit, without
 * control bytes.  Without a version function: the first 12 digits of the GNU
 * build-id ("build-id 0123456789ab"), or "unknown version". */
void foreign_served_by(char *out, size_t size);

/* In this process: whether malloc, free, calloc and realloc are all served by
 * the file at `path`, which is not the C library.
 *
 * Returns 0; EXDEV if another file serves one of them; EINVAL if the file is
 * the C library itself, possibly renamed; or the errno of the file.  On error
 * why[why_size] is one line. */
int foreign_verify(const char *path, char *why, size_t why_size);

/* In this process: the address of `name`, if the file that serves malloc is
 * the one that defines it, or NULL. */
void *foreign_symbol(const char *name);

#endif
