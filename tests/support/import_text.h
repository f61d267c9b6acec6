/* import_text.h - imports bytes, for tests of the formats.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_IMPORT_TEXT_H
#define HEAPYARD_IMPORT_TEXT_H

#include "format.h"

/* What came of an import of the input "in". */
struct imported {
    const struct trace_format *format; /* NULL: none was recognised */
    int err;
    int sink_err;
    char why[IMPORT_WHY_SIZE];
    struct import_count faults[IMPORT_FAULTS];
    char header[IMPORT_FIRST_SIZE];
    uint64_t operations;
};

/* format: NULL to sniff. */
struct imported import_bytes(const struct trace_format *format,
                             const void *bytes, size_t n, int is_strict,
                             struct op_sink *);

/* A sink that writes operations down: "1+64@12 " is thread 1, alignment 2^12;
 * z zeroed, "-3 " frees object 3, "~3:9 " resizes it, "T5 " is a time. */
struct op_notes {
    struct op_sink sink; /* first: put casts back */
    char text[4096];
    size_t used;
};
void op_notes_init(struct op_notes *);

#endif
