/* preload_check.h - whether a library can be preloaded into a program.
 *
 * The dynamic linker drops LD_PRELOAD without a word where it does not apply:
 * so say it before the program runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PRELOAD_CHECK_H
#define HEAPYARD_PRELOAD_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Find a program as execvp would, follow #! lines to the interpreter, and
 * check that this is an ELF program of our machine that has a dynamic linker
 * and is not set-user-id.
 *
 * Returns 0, ENOENT or EACCES if there is none that may be run, EINVAL if
 * nothing can be preloaded into it, or the errno of the file; on error
 * why[why_size] says in one line what is wrong with which file. */
int preload_check(const char *program, char *why, size_t why_size);

/* Whether the file holds this text somewhere: good enough to tell if a
 * program imports a symbol with such an unusual name as "_Znwm". */
bool preload_names(const char *path, const char *symbol);

#endif
