/* hyperfine.h - what hyperfine takes and gives.
 *
 * Source: github.com/sharkdp/hyperfine, version 1.15: its option --export-json.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HYPERFINE_H
#define HEAPYARD_HYPERFINE_H

#include <stddef.h>
#include <stdio.h>

enum { HYPERFINE_RUNS_MAX = 1024 };

#define HYPERFINE_MISSING                                                      \
    "hyperfine is not installed (on Debian: apt-get install hyperfine)"

/* Of one command. */
struct hyperfine_result {
    double wall_s[HYPERFINE_RUNS_MAX]; /* [n] */
    int code[HYPERFINE_RUNS_MAX];      /* [n]: exit code, or 128 + signal */
    size_t n;
    double mean_s, user_s, system_s; /* means */
};

/* Whether it is installed. */
int hyperfine_exists(void);

/* Read the results of n commands.  Returns 0; EBADMSG, and why, if this is not
 * such a file or one of another number of commands; or ENOMEM. */
int hyperfine_read(const char *path, struct hyperfine_result out[], size_t n,
                   char *why, size_t why_size);

/* Write one word so that a shell, and hyperfine without one, read it back;
 * and a blank. */
void hyperfine_put_word(FILE *, const char *word);

#endif
