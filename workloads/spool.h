/* spool.h - what the recorder leaves behind: the raw format and its reader.
 *
 * A recorded process image (a program between its exec and its end or next
 * exec; a fork child is an image of its own) leaves two files in the spool
 * folder, named by its process id and a running number:
 *
 *   PID.N.spool  whole chunks, in the order in which they were filled
 *   PID.N.bufs   blocks of SPOOL_BLOCK bytes: first the header of the image,
 *                then the buffers into which threads are writing.  The
 *                recorder maps this file shared, so what a thread wrote last
 *                is there however the process ended.
 *
 * A chunk is a buffer cut at its last used word, so both files hold the same
 * struct.  All integers are in the byte order of the machine: a spool is read
 * where it was made, and then deleted.
 *
 * Each record is one word and more:
 *
 *   bit  63      SPOOL_STAMPED: time stamps stand at the end of the record
 *   bits 60..62  enum spool_kind
 *   bits 45..59  small: a size in bytes, or what spool_kind says
 *   bits 0..44   bits 3..47 of an address, or a thread number
 *
 * Stamps are readings of one clock that all threads share; they are written
 * once the process has started a second thread.  A birth is stamped after
 * the call, a death before it, a resize on both sides.  So for one address
 * the stamps of death and next birth never cross, and merging the threads by
 * stamp gives an order that the program could have had.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SPOOL_H
#define HEAPYARD_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "op.h"

enum {
    SPOOL_VERSION = 1,
    SPOOL_BLOCK = 65536, /* bytes; a multiple of every page size in use */
    SPOOL_HEAD = 128,    /* bytes of a buffer before its first record */
    SPOOL_WORDS = (SPOOL_BLOCK - SPOOL_HEAD) / 8,
    SPOOL_RECORD_WORDS = 6, /* of the longest record */
    SPOOL_TEXT = 2048       /* bytes of a text in the header, with its 0 */
};

#define SPOOL_HEADER_MAGIC 0x31676d6979706168u /* "hapyimg1" */
#define SPOOL_BUFFER_MAGIC 0x3166756279706168u /* "hapybuf1" */

enum spool_kind {
    SPOOL_NONE,   /* no record: the rest of the chunk is not valid */
    SPOOL_FREE,   /* address */
    SPOOL_ALLOC,  /* address; small: size */
    SPOOL_ZALLOC, /* the same, zeroed */
    SPOOL_RESIZE, /* old address; small: new size; a second word: the new
                     address, written as in the first; two stamps */
    SPOOL_WIDE,   /* whatever does not fit above; small: enum spool_kind in
                     its low 4 bits, log2 of the alignment above them; then
                     whole words: address, [new address,] [size] */
    SPOOL_MARK    /* small: enum spool_mark; a thread number */
};

enum spool_mark {
    SPOOL_MARK_START, /* this thread starts */
    SPOOL_MARK_SPAWN, /* this thread is about to start another */
    SPOOL_MARK_JOIN   /* this thread has seen the end of another */
};

#define SPOOL_STAMPED      ((uint64_t)1 << 63)
#define SPOOL_KIND_SHIFT   60
#define SPOOL_SMALL_SHIFT  45
#define SPOOL_SMALL_MAX    (((uint64_t)1 << 15) - 1)
#define SPOOL_ADDRESS_MASK (((uint64_t)1 << 45) - 1)
/* Bits of an address that a record of the short forms cannot hold. */
#define SPOOL_ADDRESS_OUT (~(SPOOL_ADDRESS_MASK << 3))

/* The first block of PID.N.bufs. */
struct spool_header {
    uint64_t magic;
    uint32_t version;
    uint32_t is_forked;   /* 1: begins as the copy of another image */
    uint32_t has_own_new; /* 1: that malloc's object has operator new too, and
                             calls of it are not seen */
    uint32_t padding;
    int64_t pid, parent;
    uint64_t start_ns;        /* CLOCK_MONOTONIC */
    uint64_t stop_errno;      /* 0, or why recording ended before the program */
    uint64_t stop_stamp;      /* then: what is stamped later is not complete */
    char program[SPOOL_TEXT]; /* path of the executable */
    char command[SPOOL_TEXT]; /* its arguments, between spaces */
    char allocator[SPOOL_TEXT]; /* path of the object that has its malloc */
};

/* A buffer, and cut after `used` words a chunk. */
struct spool_buffer {
    uint64_t magic;
    uint32_t thread; /* 0: the first of the image */
    uint32_t padding;
    uint64_t sequence; /* of the thread's chunks, from 0 */
    uint64_t used;     /* words of records */
    uint64_t begin_ns; /* CLOCK_MONOTONIC, when the first record came */
    uint64_t begin_stamp;
    void *own[(SPOOL_HEAD - 48) / sizeof(void *)]; /* the recorder's; of no
                                                      meaning in a file */
    uint64_t records[];                            /* up to SPOOL_WORDS */
};

/* What an image is; texts are borrowed until spool_close. */
struct spool_about {
    int64_t pid, parent;
    int is_forked;
    int has_own_new;
    int stop_errno;   /* 0: recorded to its end */
    unsigned threads; /* that wrote anything */
    uint64_t bytes;   /* of raw records */
    const char *program;
    const char *command;
    const char *allocator;
};

/* What the last play met.  Only the first five are of the program; the rest
 * say how well it was seen. */
struct spool_counts {
    uint64_t allocs;
    uint64_t frees; /* without implicit_frees */
    uint64_t resizes;
    uint64_t left_blocks;    /* live at the end */
    uint64_t cross_frees;    /* by another thread than the one that allocated or
                                last resized the block */
    uint64_t implicit_frees; /* an address came again, no free was seen */
    uint64_t unknown_frees;  /* of blocks whose birth was not seen; in a fork
                                child: those of its parent */
    uint64_t unknown_resizes; /* the same; played as a birth */
    uint64_t dropped_bytes;   /* of records that were cut or not valid */
    uint64_t lost_chunks;     /* by their sequence numbers */
    uint64_t late_stamps;     /* earlier than the thread's stamp before */
    uint64_t stray_marks;     /* spawns and joins that fit no thread */
};

struct spool;

/* Open the image NAME ("PID.N") of a spool folder and index its chunks.
 *
 * Returns 0, EBADMSG if the files are not of this format, E2BIG beyond
 * OP_MAX_THREADS threads, ENOMEM, or the errno of the files; then
 * why[why_size] says what and where.  Memory: 24 bytes a chunk. */
int spool_open(const char *folder, const char *name, struct spool **out,
               char *why, size_t why_size);

/* The same from memory, which is borrowed until spool_close and aligned to 8
 * bytes: for tests and for fuzzing. */
int spool_open_memory(const void *spool, size_t spool_size, const void *bufs,
                      size_t bufs_size, struct spool **out, char *why,
                      size_t why_size);

const struct spool_about *spool_about(const struct spool *);

/* The source: threads merged by stamp.  Threads get dense numbers in the
 * order in which they appear, 0 is the first of the image.  OP_TIME comes
 * with every chunk.  Its play returns ENOMEM or the error of the sink, and
 * nothing that a file holds makes the stream malformed: what does not fit is
 * left out and counted.  Memory: 24 bytes a live block, at most half full. */
const struct trace_source *spool_source(const struct spool *);
const struct spool_counts *spool_counts(const struct spool *);
void spool_close(struct spool *);

#endif
