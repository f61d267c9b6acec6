/* spec_args.h - the options that bench and plan share: every key of a spec.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SPEC_ARGS_H
#define HEAPYARD_SPEC_ARGS_H

#include <argp.h>

#include "spec.h"

struct spec_args {
    struct spec spec;
    struct spec_list more; /* allocators by --allocator: join spec at the end */
    const char *out;       /* folder or file, or NULL */
    const char *baseline;  /* allocator of the ratios */
    int resume;
    int has_spec; /* some option is of the spec, not of the verb */
};

enum { SPEC_OPTIONS_MAX = 48 };

/* The parser of all this but --resume and --baseline, and but the keys of
 * without[] (ended by NULL), as a child of a verb's own: its input is a
 * spec_args that spec_args_init has filled.  options[SPEC_OPTIONS_MAX] must
 * live as long as *out. */
void spec_args_argp(struct argp_option options[], const char *const without[],
                    struct argp *out);
void spec_args_init(struct spec_args *);

/* Parse the command line of a verb; leaves the process with EXIT_USAGE on an
 * error.  doc: argp's, with examples after a \v.  is_bench: --resume and
 * --baseline are options too. */
void spec_args_parse(int argc, char **argv, const char *doc, int is_bench,
                     struct spec_args *out);

#endif
