/* trace_verbs.h - what the verbs of `heapyard trace` share.
 *
 * Each returns an exit code; what went wrong has been printed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_VERBS_H
#define HEAPYARD_TRACE_VERBS_H

#include <argp.h>

#include "archive.h"

/* Print why; the exit code of that errno. */
int trace_complain(const char *why, int err);

/* Open the archive of that path, or the recorded trace of that name that
 * comes with us. */
int trace_open(const char *name, struct archive **out);

/* Play the archive into a sink, with progress on a terminal.  sink_why: what
 * the sink says after EBADMSG.  A sink that has enough returns ECANCELED. */
int trace_play(const struct archive *, const char *name, struct op_sink *,
               const char *sink_why);

/* A full disk or a closed pipe must not look like success. */
int trace_flush(void);

/* ---- new archives ---- */

enum { TRACE_LEVEL_PRESET = 9 /* of zstd */ };

/* An archive in the making: a sink, which looks from time to time whether the
 * user wants to stop, and then returns EINTR. */
struct trace_output {
    struct op_sink sink; /* first: put casts back */
    struct archive_writer *writer;
    const char *path;
    uint64_t ops;
};

/* From here on Ctrl-C waits for the sink.  On failure nothing is to be
 * closed. */
int trace_output_open(struct trace_output *, const char *path,
                      const char *provenance, int level);
/* The same, with the provenance of the archive that it is made of and one more
 * line: how. */
int trace_output_derived(struct trace_output *, const char *path,
                         const struct archive *, const char *how);
const char *trace_output_why(const struct trace_output *);
/* Keep the archive if code is EXIT_GOOD, else leave no trace of it.  Returns
 * code, or what went wrong with the file. */
int trace_output_close(struct trace_output *, int code);

/* The operand of an option: a whole number in min..max, or the end of the
 * program with a line that says so. */
uint64_t trace_number(struct argp_state *, const char *option, const char *text,
                      uint64_t min, uint64_t max);
/* For parsers: IN and OUT are the operands. */
error_t trace_parse_in_out(int key, char *arg, struct argp_state *,
                           const char **in, const char **out);

/* The verbs that have files of their own. */
int trace_convert(int argc, char **argv);
int trace_cut(int argc, char **argv);
int trace_merge(int argc, char **argv);
int trace_scale(int argc, char **argv);
int trace_fit(int argc, char **argv);
int trace_diff(int argc, char **argv);
int trace_anonymize(int argc, char **argv);

#endif
