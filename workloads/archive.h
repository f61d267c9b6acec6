/* archive.h - the archive form of a trace: a file to keep and to send.
 *
 * Layout (all integers little-endian; the page workloads/traces/README.md
 * gives it byte by byte): a fixed header with magic and version, a block of
 * provenance text, then chunks, then a trailer.  A chunk holds up to
 * ARCHIVE_CHUNK_OPS operations as varints, compressed by zstd, preceded by
 * its sizes and a CRC-32 of those and of the compressed bytes.  The trailer
 * repeats the totals, so a truncated file is recognised.
 *
 * Operations stand in global order; the thread is written only when it
 * changes; births are implicit; a free or resize names its object by the
 * number of births since.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ARCHIVE_H
#define HEAPYARD_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "op.h"

enum {
    ARCHIVE_VERSION = 1,
    ARCHIVE_CHUNK_OPS = 65536,
    ARCHIVE_PROVENANCE_MAX = 16384 /* bytes */
};

#define ARCHIVE_SUFFIX ".hyt"

/* What a whole archive holds: exact, computed while it was written. */
struct archive_totals {
    uint64_t ops;         /* all operations but OP_TIME, as in trace.h */
    uint64_t times;       /* OP_TIME */
    uint64_t births;      /* OP_ALLOC and OP_ZALLOC */
    uint64_t peak_bytes;  /* most live bytes at once (requested) */
    uint64_t left_blocks; /* live at the end */
    uint64_t left_bytes;
    uint32_t threads; /* highest number that acted, was started or awaited,
                         plus one */
    uint32_t chunks;
};

/* Provenance is UTF-8 text of lines "key: value": program, command, date,
 * machine, libc, recorder, licence, comment, … free, but no control bytes. */
struct archive_writer; /* holds one chunk; begins with its op_sink */

/* Create path (with a temporary name until archive_commit renames it).
 * `level` is zstd's, 1 .. 19.  Returns 0, EINVAL for bad provenance or level,
 * ENOTSUP if path is there but no regular file, ENOMEM, or the errno of the
 * file. */
int archive_create(const char *path, const char *provenance, int level,
                   struct archive_writer **out);
/* Its put refuses what is not well formed by op.h with EBADMSG;
 * archive_writer_why then says which operation and what is wrong. */
struct op_sink *archive_sink(struct archive_writer *);
const char *archive_writer_why(const struct archive_writer *);

/* Put another provenance in the place of the first, which it may not exceed
 * in length: for what is known only at the end.  What is left becomes empty
 * lines.  Returns 0, EINVAL for bad provenance, or the errno of the file. */
int archive_amend(struct archive_writer *, const char *provenance);

/* Write the last chunk and the trailer, sync, rename, and free the writer.
 * Returns 0, the first error of put, or an errno; on error the file at path is
 * as it was before, and the temporary one is gone (unless only the sync of the
 * folder failed: then the new file has its name, but may lose it in a crash of
 * the machine). */
int archive_commit(struct archive_writer *);
void archive_abandon(struct archive_writer *);

/* An archive open for reading; begins with its trace_source. */
struct archive;

/* Open path and check header, provenance, trailer and that chunks fill the
 * space between (not what is in them: play does that).  Returns 0, EBADMSG if
 * it is no whole archive of ARCHIVE_VERSION, or an errno; why[why_size] says
 * what is wrong and at which byte. */
int archive_open(const char *path, struct archive **out, char *why,
                 size_t why_size);
const char *archive_provenance(const struct archive *);
const struct archive_totals *archive_totals(const struct archive *);
uint64_t archive_ops(const struct archive *);   /* totals->ops */
uint64_t archive_bytes(const struct archive *); /* of the file */

/* The source.  Its play returns EBADMSG for a bad chunk; archive_why then
 * says which, at which byte offset, and what is wrong.  It is "" if the error
 * was the sink's.  One play at a time; each holds one chunk in memory. */
const struct trace_source *archive_source(const struct archive *);
const char *archive_why(const struct archive *);
void archive_close(struct archive *);

#endif
