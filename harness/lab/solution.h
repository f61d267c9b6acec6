/* solution.h - from the source of a malloc lab solution to a shared object.
 *
 * What was made is kept under a name that is a hash of all that went into it,
 * so it is made once for all runs of a bench, and anew when something changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SOLUTION_H
#define HEAPYARD_SOLUTION_H

#include <stdbool.h>

enum { SOLUTION_PATH = 4096, SOLUTION_LOG = 16384 };

struct solution_made {
    char path[SOLUTION_PATH];    /* of the shared object */
    char hash[17];               /* of what it was made of */
    char command[SOLUTION_PATH]; /* that makes it, as one would type it */
    char log[SOLUTION_LOG];      /* what the compiler said; "" if nothing, or if
                                    it was made before */
};

/* Make the shared object of `source`, a path of a .c file, with memlib in it;
 * is_fresh: even if there is one.  The compiler is $CC or cc.
 *
 * Returns 0; EBADMSG if the compiler refused it (log says why); or the errno
 * of a file or of the compiler, and then log is one line that names it. */
int solution_make(const char *source, bool is_fresh, struct solution_made *out);

/* The line of the log that names the first error, or its first line, without
 * control bytes. */
void solution_first_error(const struct solution_made *, char *line,
                          unsigned size);

#endif
