/* import.h - turns calls on addresses into operations on objects.
 *
 * What other programs record is a list of calls: malloc gave this address,
 * free took that one.  This keeps which object is where, and passes on a well
 * formed stream whatever the calls are: what does not fit is mended or left
 * out, counted by kind, and the first of each kind remembered; or, if strict,
 * refused.
 *
 * Formats that number their blocks use the number plus one as the address.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_IMPORT_H
#define HEAPYARD_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "address_map.h"
#include "op.h"
#include "reader.h"

enum {
    IMPORT_WHY_SIZE = 640,
    IMPORT_FIRST_SIZE = 160,
    IMPORT_NOTES_SIZE = 4096,
    IMPORT_TIME_STEP_NS = 100000 /* a time is passed on if so much later */
};

/* What may be wrong; import_fault_text says what is done about it. */
enum import_fault {
    IMPORT_BAD_LINE,
    IMPORT_CUT_TAIL,
    IMPORT_FREE_UNKNOWN,
    IMPORT_FREE_TWICE,
    IMPORT_BIRTH_TWICE,
    IMPORT_RESIZE_UNKNOWN,
    IMPORT_CALL_FAILED,
    IMPORT_CLOCK_BACK,
    IMPORT_OTHER_PROCESS,
    IMPORT_MANY_THREADS,
    IMPORT_SIZE_MISSING,
    IMPORT_BEYOND_HEADER,
    IMPORT_FAULTS
};

struct import_count {
    uint64_t count;
    uint64_t first_place;          /* of the first: see struct import */
    char first[IMPORT_FIRST_SIZE]; /* what was expected there */
};

struct import {
    struct op_feed feed;
    struct reader reader;
    const char *name;    /* of the input, for messages */
    const char *unit;    /* of place: "line" or "byte" */
    uint64_t place;      /* line from 1, or offset of a record from 0 */
    uint64_t operations; /* passed on */
    uint64_t process;    /* the only one that is taken; 0: the first seen */
    int is_strict;
    int is_numbered; /* the format numbers its blocks: see above */
    int is_tail;     /* the line in hand has no newline: it may be cut */

    struct address_map blocks;  /* dead ones too: object == IMPORT_DEAD */
    size_t dead;                /* of them */
    struct address_map threads; /* by number + 1, to ours */
    uint64_t last_thread;       /* number + 1, and ours */
    unsigned last_number;

    int has_time;
    uint64_t first_ns, last_ns, put_ns;

    struct import_count faults[IMPORT_FAULTS];
    char header[IMPORT_FIRST_SIZE]; /* what the format keeps of its own */
    char why[IMPORT_WHY_SIZE];      /* after EBADMSG */
};

#define IMPORT_DEAD UINT64_MAX

/* Input and sink are borrowed.  Returns 0 or ENOMEM. */
int import_init(struct import *, struct input *, const char *name,
                struct op_sink *);
void import_free(struct import *);

/* ---- for the formats ----
 *
 * Each returns 0, or what ends the import: EBADMSG with import->why (strict,
 * or the sink's), or an errno.  A thread is any number. */

int import_malloc(struct import *, uint64_t thread, uint64_t address,
                  uint64_t size);
int import_calloc(struct import *, uint64_t thread, uint64_t address,
                  uint64_t n, uint64_t size);
/* align: rounded up to a power of two, as C libraries do. */
int import_memalign(struct import *, uint64_t thread, uint64_t address,
                    uint64_t align, uint64_t size);
/* old == 0: as malloc.  size == 0: as free, and malloc(0) if there is a new
 * address. */
int import_realloc(struct import *, uint64_t thread, uint64_t old,
                   uint64_t address, uint64_t size);
/* address == 0: nothing. */
int import_dealloc(struct import *, uint64_t thread, uint64_t address);
/* Nanoseconds since anything. */
int import_time(struct import *, uint64_t ns);

/* Whether a block is known to live there. */
int import_is_live(const struct import *, uint64_t address);
/* The address will be given out again though its block was never freed: the
 * block stays until the end.  Returns 0 or as import_fault. */
int import_abandon(struct import *, uint64_t address);
/* Count a call of that process; *is_ours says whether to take it. */
int import_process(struct import *, uint64_t process, int *is_ours);

/* Count a fault at the place in hand; format says what would be right. */
int import_fault(struct import *, enum import_fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The line in hand is not as it should be: IMPORT_BAD_LINE, or
 * IMPORT_CUT_TAIL if it is the last and has no newline. */
int import_bad(struct import *, const char *want);
/* End the import: why is "NAME:PLACE: " and the text.  Returns EBADMSG. */
int import_refuse(struct import *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What to return after an error of the reader. */
int import_read_failed(struct import *, int err);

/* Take the input line by line.  line returns as above; ECANCELED ends the
 * import with success. */
typedef int import_line(struct import *, const char *line, void *state);
int import_lines(struct import *, import_line *line, void *state);

/* ---- for who imports ---- */

/* The last time, and what is wrong as a whole: without any operation the
 * import fails.  Returns as above. */
int import_finish(struct import *);

/* Short word ("free-unknown") and sentence ("frees of …, left out"). */
const char *import_fault_key(enum import_fault);
const char *import_fault_text(enum import_fault);

/* Lines of provenance: the format, and what was wrong with the input.
 * Returns their length, below IMPORT_NOTES_SIZE. */
size_t import_notes(const struct import *, const char *format,
                    char notes[IMPORT_NOTES_SIZE]);

#endif
