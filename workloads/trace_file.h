/* trace_file.h - the bytes of a run-time trace: what compile.c writes and
 * trace.c maps.  Private to those two.
 *
 * Page 0 is a trace_file_header; then the thread table, the marks, the curve,
 * the blocks left; then each thread's records, each array at a multiple of 64
 * bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_FILE_H
#define HEAPYARD_TRACE_FILE_H

#include "trace.h"

#define TRACE_FILE_MAGIC "HYtrace\n"

enum { TRACE_FILE_ALIGN = 64, TRACE_BYTE_ORDER = 0x01020304 };

struct trace_file_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint32_t threads;
    uint32_t nmarks;
    uint32_t ncurve;
    uint32_t reserved;
    uint64_t curve_step;
    uint64_t mailboxes;
    uint64_t file_bytes;
    uint64_t threads_offset; /* of trace_file_thread[threads] */
    uint64_t marks_offset;   /* of trace_mark[nmarks] */
    uint64_t curve_offset;   /* of uint64_t[ncurve] */
    uint64_t left_offset;    /* of trace_left[totals.left_blocks] */
    struct trace_totals totals;
    uint64_t hash; /* see struct trace */
};

struct trace_file_thread {
    uint64_t offset; /* of event[records] */
    uint64_t records;
    uint64_t ops;
    uint64_t slots;
};

#endif
