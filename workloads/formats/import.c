/* import.c - turns calls on addresses into operations on objects.
 *
 * The map keeps blocks that were freed as dead cells: so a second free is told
 * from one of an address never seen, and a new block at an old address needs
 * no removal.  When the dead outnumber the living eight to one, and are many,
 * they are forgotten.
 *
 * Invariant: the cells of `blocks` that are not dead are the live objects but
 * the abandoned ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEAD_MIN = 1 << 20, ALIGN_MAX_LOG2 = OP_MAX_ALIGN_LOG2, NAME_SIZE = 32 };

static const struct {
    const char *key, *text;
} faults[IMPORT_FAULTS] = {
    [IMPORT_BAD_LINE] = {"bad-line", "lines not understood, left out"},
    [IMPORT_CUT_TAIL] = {"cut-tail", "cut short: the rest is missing"},
    [IMPORT_FREE_UNKNOWN] = {"free-unknown",
                             "frees of what was never given out, left out"},
    [IMPORT_FREE_TWICE] = {"free-twice", "second frees, left out"},
    [IMPORT_BIRTH_TWICE] = {"birth-twice", "blocks whose free was not seen"},
    [IMPORT_RESIZE_UNKNOWN] = {"resize-unknown",
                               "reallocs of what is not live"},
    [IMPORT_CALL_FAILED] = {"call-failed", "calls without memory, left out"},
    [IMPORT_CLOCK_BACK] = {"clock-back", "times that go back, left out"},
    [IMPORT_OTHER_PROCESS] = {"other-process",
                              "calls of other processes, left out"},
    [IMPORT_MANY_THREADS] = {"many-threads",
                             "threads beyond 1024, taken as the last"},
    [IMPORT_SIZE_MISSING] = {"size-missing",
                             "sizes missing, taken from the line before"},
    [IMPORT_BEYOND_HEADER] = {"beyond-header", "lines against the header"},
};

int import_init(struct import *im, struct input *input, const char *name,
                struct op_sink *sink)
{
    *im = (struct import){.feed.sink = sink, .name = name, .unit = "line"};
    if (address_map_init(&im->blocks) || address_map_init(&im->threads) ||
        reader_init(&im->reader, input)) {
        import_free(im);
        return ENOMEM;
    }
    return 0;
}

void import_free(struct import *im)
{
    address_map_free(&im->blocks);
    address_map_free(&im->threads);
    reader_free(&im->reader);
}

/* ---- faults ---- */

/* NAME:LINE: for text, as compilers write it. */
static size_t place_print(const struct import *im, char *to, size_t size)
{
    int n = im->unit[0] == 'l'
                ? snprintf(to, size, "%s:%" PRIu64 ": ", im->name, im->place)
                : snprintf(to, size, "%s: %s %" PRIu64 ": ", im->name, im->unit,
                           im->place);

    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static int refuse_v(struct import *im, const char *format, va_list args)
{
    size_t n = place_print(im, im->why, sizeof im->why);

    vsnprintf(im->why + n, sizeof im->why - n, format, args);
    return EBADMSG;
}

int import_refuse(struct import *im, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int err = refuse_v(im, format, args);
    va_end(args);
    return err;
}

int import_fault(struct import *im, enum import_fault kind, const char *format,
                 ...)
{
    struct import_count *c = &im->faults[kind];
    va_list args;
    int err = 0;

    if (c->count++ && !im->is_strict)
        return 0;
    va_start(args, format);
    if (im->is_strict)
        err = refuse_v(im, format, args);
    else
        vsnprintf(c->first, sizeof c->first, format, args);
    va_end(args);
    c->first_place = im->place;
    return err;
}

int import_bad(struct import *im, const char *want)
{
    if (im->is_tail)
        return import_fault(im, IMPORT_CUT_TAIL, "ends inside a line (want %s)",
                            want);
    return import_fault(im, IMPORT_BAD_LINE, "want %s", want);
}

int import_process(struct import *im, uint64_t process, int *is_ours)
{
    if (!im->process)
        im->process = process;
    *is_ours = process == im->process;
    return *is_ours ? 0
                    : import_fault(im, IMPORT_OTHER_PROCESS,
                                   "process %" PRIu64 " (want only %" PRIu64
                                   "; --process chooses another)",
                                   process, im->process);
}

/* ---- threads ---- */

static int number_add(struct import *im, uint64_t thread, unsigned *number)
{
    size_t n = im->threads.count;
    int err = 0;

    if (n >= OP_MAX_THREADS) {
        n = OP_MAX_THREADS - 1;
        err = import_fault(im, IMPORT_MANY_THREADS,
                           "thread %" PRIu64 " (want at most %d threads)",
                           thread, OP_MAX_THREADS);
    }
    *number = (unsigned)n;
    return err ? err
               : address_map_add(&im->threads,
                                 (struct live_block){thread + 1, n, 0});
}

/* Our number of a thread: in the order in which they appear. */
static int number_of(struct import *im, uint64_t thread, unsigned *number)
{
    int err = 0;

    if (thread == UINT64_MAX) /* has no key */
        thread = UINT64_MAX - 1;
    if (thread + 1 != im->last_thread) {
        struct live_block *b = address_map_find(&im->threads, thread + 1);

        if (b)
            im->last_number = (unsigned)b->object;
        else
            err = number_add(im, thread, &im->last_number);
        im->last_thread = thread + 1;
    }
    *number = im->last_number;
    return err;
}

/* ---- operations ---- */

/* What the sink refused is told with the place where it came from; its own
 * reason is the caller's to add. */
static int fed(struct import *im)
{
    im->operations++;
    if (im->feed.err == EBADMSG && !im->why[0])
        place_print(im, im->why, sizeof im->why);
    return im->feed.err;
}

/* Forget the dead, when they are most of the map. */
static int sweep(struct import *im)
{
    struct address_map living;
    size_t capacity = (size_t)1 << im->blocks.bits;
    int err = address_map_init(&living);

    for (size_t i = 0; i < capacity && !err; i++) {
        const struct live_block *b = &im->blocks.cell[i];

        if (b->address && b->object != IMPORT_DEAD)
            err = address_map_add(&living, *b);
    }
    if (err) {
        address_map_free(&living);
        return err;
    }
    address_map_free(&im->blocks);
    im->blocks = living;
    im->dead = 0;
    return 0;
}

static int bury(struct import *im, struct live_block *b)
{
    b->object = IMPORT_DEAD;
    if (++im->dead > DEAD_MIN && im->dead > im->blocks.count / 9 * 8)
        return sweep(im);
    return 0;
}

/* "0x10", or "number 15" in a format that numbers its blocks. */
static const char *name_of(const struct import *im, uint64_t address,
                           char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, im->is_numbered ? "number %" PRIu64 : "%#" PRIx64,
             address - (im->is_numbered != 0));
    return name;
}

/* The cell of an address that is about to be given out, dead.  Whatever was
 * there has gone. */
static int take_cell(struct import *im, unsigned number, uint64_t address,
                     struct live_block **cell)
{
    struct live_block *b = address_map_find(&im->blocks, address);
    int err = 0;

    if (!b) {
        err = address_map_add(&im->blocks,
                              (struct live_block){address, IMPORT_DEAD, 0});
        im->dead++;
        b = address_map_find(&im->blocks, address);
    } else if (b->object != IMPORT_DEAD) {
        err = import_fault(im, IMPORT_BIRTH_TWICE,
                           "address %#" PRIx64 " was given out twice (want a "
                           "free in between)",
                           address);
        if (!err)
            feed_free(&im->feed, number, b->object);
        b->object = IMPORT_DEAD;
        im->dead++;
        err = err ? err : fed(im);
    }
    *cell = b;
    return err;
}

static void settle(struct import *im, struct live_block *b, uint64_t object)
{
    b->object = object;
    im->dead--;
}

static int size_is_bad(struct import *im, uint64_t size)
{
    return size > INT64_MAX ? import_bad(im, "a size below 2^63") : 0;
}

enum { BORN_ZEROED = -1 };

/* align_log2: of the alignment, 0 for the default, or BORN_ZEROED. */
static int birth(struct import *im, uint64_t thread, uint64_t address,
                 uint64_t size, int align_log2)
{
    struct live_block *cell;
    unsigned number;

    if (!address)
        return import_fault(im, IMPORT_CALL_FAILED,
                            "no memory for %" PRIu64 " bytes (want an address)",
                            size);
    if (size > INT64_MAX)
        return size_is_bad(im, size);
    int err = number_of(im, thread, &number);
    if (!err)
        err = take_cell(im, number, address, &cell);
    if (err)
        return err;
    settle(im, cell,
           align_log2 == BORN_ZEROED
               ? feed_zalloc(&im->feed, number, size)
               : feed_aligned(&im->feed, number, size,
                              align_log2 ? UINT64_C(1) << align_log2 : 0));
    return fed(im);
}

int import_malloc(struct import *im, uint64_t thread, uint64_t address,
                  uint64_t size)
{
    return birth(im, thread, address, size, 0);
}

int import_calloc(struct import *im, uint64_t thread, uint64_t address,
                  uint64_t n, uint64_t size)
{
    if (address && size && n > INT64_MAX / size)
        return import_bad(im, "a size below 2^63");
    return birth(im, thread, address, n * size, BORN_ZEROED);
}

int import_memalign(struct import *im, uint64_t thread, uint64_t address,
                    uint64_t align, uint64_t size)
{
    int log2 = 0;

    while (log2 < ALIGN_MAX_LOG2 && UINT64_C(1) << log2 < align)
        log2++;
    if (address && UINT64_C(1) << log2 < align)
        return import_bad(im, "an alignment of at most 2^30");
    return birth(im, thread, address, size, log2);
}

/* A resize to nothing: a trace has none. */
static int resize_to_nothing(struct import *im, uint64_t thread, uint64_t old,
                             uint64_t address)
{
    int err = import_dealloc(im, thread, old);

    return err || !address ? err : birth(im, thread, address, 0, 0);
}

static int move(struct import *im, unsigned number, struct live_block *from,
                uint64_t address)
{
    struct live_block *cell = from;
    uint64_t object = from->object;
    int err = 0;

    if (address != from->address) {
        err = bury(im, from);
        if (!err)
            err = take_cell(im, number, address, &cell);
        if (!err)
            settle(im, cell, object);
    }
    return err;
}

int import_realloc(struct import *im, uint64_t thread, uint64_t old,
                   uint64_t address, uint64_t size)
{
    struct live_block *b = old ? address_map_find(&im->blocks, old) : NULL;
    char name[NAME_SIZE];
    unsigned number;
    int err;

    if (old && size == 0)
        return resize_to_nothing(im, thread, old, address);
    if (!old || !address || size > INT64_MAX)
        return birth(im, thread, address, size, 0);
    if (!b || b->object == IMPORT_DEAD) {
        err =
            import_fault(im, IMPORT_RESIZE_UNKNOWN,
                         "realloc of %s, which is not live (taken as a malloc)",
                         name_of(im, old, name));
        return err ? err : birth(im, thread, address, size, 0);
    }
    uint64_t object = b->object;

    err = number_of(im, thread, &number);
    if (!err)
        err = move(im, number, b, address);
    if (err)
        return err;
    feed_resize(&im->feed, number, object, size);
    return fed(im);
}

int import_dealloc(struct import *im, uint64_t thread, uint64_t address)
{
    struct live_block *b;
    char name[NAME_SIZE];
    unsigned number;

    if (!address)
        return 0;
    b = address_map_find(&im->blocks, address);
    if (!b)
        return import_fault(
            im, IMPORT_FREE_UNKNOWN, "free of %s (want %s that was given out)",
            name_of(im, address, name), im->is_numbered ? "one" : "an address");
    if (b->object == IMPORT_DEAD)
        return import_fault(im, IMPORT_FREE_TWICE,
                            "free of %s again (want it only once)",
                            name_of(im, address, name));
    int err = number_of(im, thread, &number);
    if (err)
        return err;
    feed_free(&im->feed, number, b->object);
    err = fed(im);
    return err ? err : bury(im, b);
}

int import_is_live(const struct import *im, uint64_t address)
{
    const struct live_block *b = address_map_find(&im->blocks, address);

    return b && b->object != IMPORT_DEAD;
}

int import_abandon(struct import *im, uint64_t address)
{
    struct live_block *b = address_map_find(&im->blocks, address);
    int err = import_fault(im, IMPORT_BIRTH_TWICE,
                           "number %" PRIu64 " is allocated again (want a free "
                           "in between; the old block stays)",
                           address - 1);

    return err || !b ? err : bury(im, b);
}

int import_time(struct import *im, uint64_t ns)
{
    if (!im->has_time)
        im->first_ns = im->last_ns = ns;
    im->has_time = 1;
    if (ns < im->last_ns)
        return import_fault(im, IMPORT_CLOCK_BACK,
                            "time %" PRIu64 " ns (want %" PRIu64 " or later)",
                            ns, im->last_ns);
    im->last_ns = ns;
    if (ns - im->first_ns < im->put_ns + IMPORT_TIME_STEP_NS)
        return 0;
    im->put_ns = ns - im->first_ns;
    feed_time(&im->feed, im->put_ns);
    return im->feed.err;
}

/* ---- the whole ---- */

int import_read_failed(struct import *im, int err)
{
    if (err == EMSGSIZE)
        return import_refuse(im, "a line of more than %d bytes (is this text?)",
                             READER_SIZE);
    if (err == EBADMSG || err == ENOTSUP)
        return import_refuse(im, "%s", input_why(im->reader.input));
    return err;
}

int import_lines(struct import *im, import_line *parse, void *state)
{
    const char *line;
    int is_whole, err = 0;

    while (!err) {
        err = reader_line(&im->reader, &line, &is_whole);
        if (err)
            return import_read_failed(im, err);
        if (!line)
            break;
        im->place++;
        im->is_tail = !is_whole;
        err = parse(im, line, state);
    }
    im->is_tail = 0;
    return err == ECANCELED ? 0 : err;
}

int import_finish(struct import *im)
{
    uint64_t end = im->last_ns - im->first_ns;
    const struct import_count *bad = &im->faults[IMPORT_BAD_LINE];

    if (input_is_cut(im->reader.input)) {
        int err = import_fault(im, IMPORT_CUT_TAIL,
                               "the %s data end too early (is the file whole?)",
                               input_packing(im->reader.input));
        if (err)
            return err;
    }
    if (!im->operations && bad->count) {
        im->place = bad->first_place;
        return import_refuse(im, "%s (no call at all was understood)",
                             bad->first);
    }
    if (!im->operations) {
        snprintf(im->why, sizeof im->why, "%s: holds no calls", im->name);
        return EBADMSG;
    }
    if (end > im->put_ns)
        feed_time(&im->feed, end);
    return im->feed.err;
}

const char *import_fault_key(enum import_fault kind)
{
    return faults[kind].key;
}

const char *import_fault_text(enum import_fault kind)
{
    return faults[kind].text;
}

size_t import_notes(const struct import *im, const char *format,
                    char notes[IMPORT_NOTES_SIZE])
{
    size_t n =
        (size_t)snprintf(notes, IMPORT_NOTES_SIZE, "import-format: %s%s%s\n",
                         format, im->header[0] ? ", " : "", im->header);

    for (int i = 0; i < IMPORT_FAULTS; i++)
        if (im->faults[i].count)
            n += (size_t)snprintf(
                notes + n, IMPORT_NOTES_SIZE - n,
                "import-fault: %s %" PRIu64 " %s (first at %s %" PRIu64 ")\n",
                faults[i].key, im->faults[i].count, faults[i].text, im->unit,
                im->faults[i].first_place);
    return n;
}
