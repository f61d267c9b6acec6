/* native_request.h - a native workload, and all that a run of it depends on.
 *
 * It stands where the run-time trace of other workloads does: prepared as a
 * file, which trace_map tells from a trace by its first bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_NATIVE_REQUEST_H
#define HEAPYARD_NATIVE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "workload.h"

enum { NATIVE_TEXT_MAX = 200 }; /* bytes of NAME:KNOB=VALUE…, with its NUL */

struct native_request {
    const struct workload *workload; /* has run */
    struct knob_values values;
    unsigned threads;
    uint64_t seed;
    double scale;
};

/* Write a request for `text`, NAME[:KNOB=VALUE…] of a native workload, to
 * `path`.  Returns 0, EINVAL for a text that is too long, or the errno of the
 * file; then why[why_size] is one line. */
int native_request_write(const char *text, unsigned threads, uint64_t seed,
                         double scale, const char *path, char *why,
                         size_t why_size);

/* Whether these bytes begin as a request does. */
int native_request_is(const void *bytes, size_t n);

/* Read it back.  Returns 0; or EBADMSG and why, if it is cut off, or asks for
 * what this program does not have.  Allocates nothing. */
int native_request_read(const void *bytes, size_t n, struct native_request *out,
                        char *why, size_t why_size);

/* Of workload, version, knobs, seed, scale and threads: what trace_hash is to
 * a trace, of TRACE_HASH_BITS too. */
uint64_t native_request_hash(const struct native_request *);

#endif
