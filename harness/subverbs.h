/* subverbs.h - a verb that has verbs of its own: `heapyard trace info`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SUBVERBS_H
#define HEAPYARD_SUBVERBS_H

#include <stddef.h>

struct subverb {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0]: "heapyard trace info" */
    const char *help;
};

struct subverbs {
    const char *of;              /* "trace" */
    const char *operands;        /* "[OPTION...] FILE" */
    const char *about;           /* a sentence */
    const char *examples;        /* lines, each ended */
    const struct subverb *verbs; /* [n] */
    size_t n;
};

/* Run the verb that argv[1] names, or print help: the exit code. */
int subverbs_run(const struct subverbs *, int argc, char **argv);

#endif
