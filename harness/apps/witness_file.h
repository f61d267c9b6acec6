/* witness_file.h - what the witness in a program wrote (witness/witness.c).
 *
 * Two kinds of lines, with tabs between fields:
 *
 *   begin  PID  PROGRAM  RSS_ANON  SERVED_BY  WHY
 *   end    PID  RSS_MOST  RSS_FILE
 *
 * PROGRAM is the file that runs, WHY is empty if the library that was asked for
 * serves malloc, and memory is in bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_WITNESS_FILE_H
#define HEAPYARD_WITNESS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct witness {
    bool has_begun; /* a program of that name wrote its line */
    bool has_ended; /* and left by exit() */
    pid_t pid;
    uint64_t baseline; /* private memory before the program began */
    uint64_t most;     /* VmHWM at the end: exact, file pages included */
    uint64_t file;     /* file and shared pages at the end */
    char served_by[128];
    char why[200];
};

/* Read what the first process of that name wrote, a file name without its
 * folder.  A file that is missing or holds nothing of it leaves has_begun
 * false. */
void witness_read(const char *path, const char *program, struct witness *out);

#endif
