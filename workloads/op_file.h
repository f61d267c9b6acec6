/* op_file.h - operations in a temporary file, to be taken one by one.
 *
 * A source pushes its operations; whoever needs two at once takes one of them
 * from here.  24 bytes an operation on disk, in op_file_folder, in a file that
 * has no name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OP_FILE_H
#define HEAPYARD_OP_FILE_H

#include <stdio.h>

#include "op.h"

struct op_file {
    struct op_sink sink; /* first: put casts back */
    FILE *file;
    char (*names)[OP_NAME_MAX + 1]; /* [nnames], of marks */
    size_t nnames;
    uint64_t n; /* operations in it */
};

/* Where temporary files go: $TMPDIR, or /tmp. */
const char *op_file_folder(void);

/* Returns 0 or an errno. */
int op_file_init(struct op_file *);
void op_file_free(struct op_file *);

/* No more is put; taking begins at the first.  Returns 0 or an errno. */
int op_file_rewind(struct op_file *);
/* The next operation: *is_end at the end.  Its name is borrowed until
 * op_file_free.  Returns 0 or an errno. */
int op_file_take(struct op_file *, struct op *, int *is_end);

#endif
