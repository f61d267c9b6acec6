/* trace_verbs.h - what the verbs of `heapyard trace` share.
 *
 * Each returns an exit code; what went wrong has been printed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_VERBS_H
#define HEAPYARD_TRACE_VERBS_H

#include "archive.h"

/* Print why; the exit code of that errno. */
int trace_complain(const char *why, int err);

/* Open the archive of that path, or the recorded trace of that name that
 * comes with us. */
int trace_open(const char *name, struct archive **out);

/* Play the archive into a sink, with progress on a terminal.  sink_why: what
 * the sink says after EBADMSG. */
int trace_play(const struct archive *, const char *name, struct op_sink *,
               const char *sink_why);

/* A full disk or a closed pipe must not look like success. */
int trace_flush(void);

/* The verbs that have files of their own. */
int trace_convert(int argc, char **argv);

#endif
