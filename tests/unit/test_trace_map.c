/* test_trace_map.c - what trace_map accepts is safe to replay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops_list.h"
#include "ops_random.h"
#include "random.h"
#include "scratch.h"
#include "trace.h"
#include "trace_file.h"
#include "trace_walk.h"

enum { WHY = 1024, IMAGE = 1 << 17, FLIPS = 12000 };

static struct scratch scratch;
static char path[600], image[IMAGE];
static size_t bytes; /* of the image */

static void open_scratch(void)
{
    scratch_open(&scratch);
    scratch_path(&scratch, "t", path, sizeof path);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(trace_map, .init = open_scratch, .fini = close_scratch);

static void load(const struct trace_source *source)
{
    char why[WHY];

    cr_assert_eq(trace_compile(source, path, why, sizeof why), 0, "%s", why);
    bytes = scratch_read(&scratch, "t", image, sizeof image);
    cr_assert_leq(bytes, sizeof image);
}

/* Two threads, one block handed over by each kind of record, one left. */
static void load_small(void)
{
    static const struct op ops[] = {
        {.kind = OP_SPAWN, .thread = 0, .object = 1},
        {.kind = OP_ALLOC, .thread = 0, .object = 0, .size = 8},
        {.kind = OP_MARK, .thread = 0, .name = "m"},
        {.kind = OP_FREE, .thread = 1, .object = 0},
        {.kind = OP_ALLOC, .thread = 0, .object = 1, .align_log2 = 6},
        {.kind = OP_TOUCH, .thread = 0, .object = 1},
        {.kind = OP_TOUCH, .thread = 1, .object = 1},
    };
    struct ops_array source = ops_array(ops, sizeof ops / sizeof *ops);

    load(&source.source);
}

static int map_image(struct trace **trace, char why[WHY])
{
    scratch_write(&scratch, "t", image, bytes);
    return trace_map(path, trace, why, WHY);
}

/* ---- files that are no traces ---- */

static void refuse_path(const char *name, int err, const char *reason)
{
    char at[600], why[WHY], want[WHY];
    struct trace *trace = NULL;

    scratch_path(&scratch, name, at, sizeof at);
    cr_assert_eq(trace_map(at, &trace, why, sizeof why), err, "%s", why);
    snprintf(want, sizeof want, "%s: %s", at, reason);
    cr_assert_str_eq(why, want);
    cr_assert_null(trace);
}

Test(trace_map, what_is_no_trace_is_refused)
{
    scratch_write(&scratch, "empty", "", 0);
    scratch_write(&scratch, "short", TRACE_FILE_MAGIC, 8);
    refuse_path("missing", ENOENT, strerror(ENOENT));
    refuse_path("empty", EBADMSG, "is no run-time trace");
    refuse_path("short", EBADMSG, "is no run-time trace");
    refuse_path(".", EBADMSG, "is no run-time trace");
}

Test(trace_map, every_truncation_is_refused)
{
    struct trace *trace = NULL;
    char why[WHY];

    load_small();
    for (size_t whole = bytes; bytes-- > 0;) {
        cr_assert_eq(map_image(&trace, why), EBADMSG, "%zu of %zu bytes", bytes,
                     whole);
        cr_assert_eq(strncmp(why, path, strlen(path)), 0, "%s", why);
    }
}

Test(trace_map, a_byte_too_many_is_refused)
{
    struct trace *trace = NULL;
    char why[WHY];

    load_small();
    bytes++;
    cr_assert_eq(map_image(&trace, why), EBADMSG);
}

/* ---- one thing wrong ---- */

static struct trace_file_header *header(void)
{
    return (void *)image;
}

static struct trace_file_thread *thread(unsigned i)
{
    return (struct trace_file_thread *)(void *)(image +
                                                header()->threads_offset) +
           i;
}

static struct trace_left *left(void)
{
    return (void *)(image + header()->left_offset);
}

/* The nth record of that opcode in thread i. */
static struct event *record(unsigned i, unsigned op, unsigned nth)
{
    struct event *e = (void *)(image + thread(i)->offset);

    for (uint64_t k = 0; k < thread(i)->records; k++)
        if (event_op(e[k]) == op && nth-- == 0)
            return &e[k];
    cr_assert_fail("no record of opcode %u in thread %u", op, i);
    return NULL;
}

static void set_slot(struct event *e, uint32_t slot)
{
    e->op_slot = slot << EVENT_OP_BITS | event_op(*e);
}

static void set_op(struct event *e, unsigned op)
{
    e->op_slot = event_slot(*e) << EVENT_OP_BITS | op;
}

static void set_word(struct event *e, uint64_t word)
{
    memcpy(e, &word, sizeof word);
}

/* Each pokes one fault into the image of load_small. */
static void poke_magic(void)
{
    image[3] ^= 1;
}

static void poke_version(void)
{
    header()->version++;
}

static void poke_order(void)
{
    header()->byte_order = 0x04030201;
}

static void poke_bytes(void)
{
    header()->file_bytes--;
}

static void poke_no_threads(void)
{
    header()->threads = 0;
}

static void poke_threads(void)
{
    header()->threads = OP_MAX_THREADS + 1;
}

static void poke_step(void)
{
    header()->curve_step = 0;
}

static void poke_marks(void)
{
    header()->nmarks = TRACE_MARKS_MAX + 1;
}

static void poke_curve(void)
{
    header()->ncurve = TRACE_CURVE_MAX + 1;
}

static void poke_boxes(void)
{
    header()->mailboxes = bytes + 1;
}

static void poke_hash(void)
{
    header()->hash = UINT64_C(1) << TRACE_HASH_BITS;
}

static void poke_threads_offset(void)
{
    header()->threads_offset = bytes - 8;
}

static void poke_marks_offset(void)
{
    header()->marks_offset = UINT64_MAX - 7;
}

static void poke_curve_offset(void)
{
    header()->curve_offset++;
}

static void poke_left_blocks(void)
{
    header()->totals.left_blocks = UINT64_MAX;
}

static void poke_offset(void)
{
    thread(1)->offset = bytes;
}

static void poke_records(void)
{
    thread(0)->records = UINT64_MAX / 8 + 1;
}

static void poke_slots(void)
{
    thread(0)->slots = thread(0)->records + 1;
}

static void poke_name(void)
{
    memset(image + header()->marks_offset, 'x', OP_NAME_MAX + 1);
}

static void poke_left_thread(void)
{
    left()->thread = 2;
}

static void poke_left_slot(void)
{
    left()->place = (uint32_t)thread(1)->slots;
}

static void poke_left_box(void)
{
    left()->in_mailbox = 1;
    left()->place = (uint32_t)header()->mailboxes;
}

static void poke_opcode(void)
{
    set_op(record(0, EV_MARK, 0), EV_OPS);
}

static void poke_early_end(void)
{
    set_op(record(0, EV_MARK, 0), EV_END);
}

static void poke_no_end(void)
{
    thread(0)->records--;
}

static void poke_no_records(void)
{
    thread(0)->records = thread(0)->slots = 0;
}

static void poke_payload(void)
{
    struct event *e = (void *)(image + thread(0)->offset);

    set_op(&e[thread(0)->records - 1], EV_SYNC);
}

static void poke_slot(void)
{
    set_slot(record(0, EV_TOUCH, 0), (uint32_t)thread(0)->slots);
}

static void poke_full(void)
{
    set_op(record(0, EV_TOUCH, 0), EV_ALLOC);
}

static void poke_empty(void)
{
    set_op(record(1, EV_TOUCH, 0), EV_ALLOC);
    set_op(record(1, EV_RECV, 0), EV_TOUCH_WIDE);
}

static void poke_align(void)
{
    record(0, EV_ALLOC_WIDE, 0)->size = OP_MAX_ALIGN_LOG2 + 1;
}

static void poke_mark(void)
{
    set_slot(record(0, EV_MARK, 1), header()->nmarks);
}

static void poke_box(void)
{
    set_slot(record(1, EV_RECV_FREE, 0), (uint32_t)header()->mailboxes);
}

static void poke_box_payload(void)
{
    set_word(record(0, EV_SEND, 0) + 1, UINT64_MAX);
}

static void poke_box_twice(void)
{
    set_word(record(1, EV_RECV, 0) + 1,
             event_slot(*record(1, EV_RECV_FREE, 0)));
}

static void poke_box_unwritten(void)
{
    set_slot(record(1, EV_RECV_FREE, 0), (uint32_t)header()->mailboxes - 1);
}

static const struct {
    void (*poke)(void);
    const char *why;
} faults[] = {
    {poke_magic, "is no run-time trace"},
    {poke_version, "has another version (want 2); compile it again"},
    {poke_order, "comes from a machine of another byte order"},
    {poke_bytes, "is truncated"},
    {poke_no_threads, "has counts out of range"},
    {poke_threads, "has counts out of range"},
    {poke_step, "has counts out of range"},
    {poke_marks, "has counts out of range"},
    {poke_curve, "has counts out of range"},
    {poke_boxes, "has counts out of range"},
    {poke_hash, "has counts out of range"},
    {poke_threads_offset, "has tables outside the file"},
    {poke_marks_offset, "has tables outside the file"},
    {poke_curve_offset, "has tables outside the file"},
    {poke_left_blocks, "has tables outside the file"},
    {poke_offset, "has a thread outside the file"},
    {poke_records, "has a thread outside the file"},
    {poke_slots, "has a thread outside the file"},
    {poke_name, "has a mark without an end"},
    {poke_left_thread, "has a block left out of range"},
    {poke_left_slot, "has a block left out of range"},
    {poke_left_box, "has a block left out of range"},
    {poke_opcode, "thread 0, record 4: unknown opcode"},
    {poke_early_end, "thread 0, record 4: early end"},
    {poke_no_end, "thread 0, record 11: no end"},
    {poke_no_records, "thread 0, record 0: no end"},
    {poke_payload, "thread 0, record 11: payload is missing"},
    {poke_slot, "thread 0, record 8: slot out of range"},
    {poke_full, "thread 0, record 8: fills a full slot"},
    {poke_empty, "thread 1, record 4: uses an empty slot"},
    {poke_align, "thread 0, record 6: alignment out of range"},
    {poke_mark, "thread 0, record 5: mark out of range"},
    {poke_box, "thread 1, record 3: mailbox out of range"},
    {poke_box_payload, "thread 0, record 9: mailbox out of range"},
    {poke_box_twice, "thread 1, record 4: mailbox used twice"},
    {poke_box_unwritten, "mailbox 7 is read but never written"},
};

Test(trace_map, each_fault_is_named)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct trace *trace = NULL;
        char why[WHY], want[WHY];

        load_small();
        faults[i].poke();
        snprintf(want, sizeof want, "%s: %s", path, faults[i].why);
        cr_expect_eq(map_image(&trace, why), EBADMSG, "%s", faults[i].why);
        cr_expect_str_eq(why, want);
    }
}

Test(trace_map, a_reason_never_overflows_its_buffer)
{
    struct trace *trace;
    char why[8] = "1234567";

    load_small();
    poke_mark();
    scratch_write(&scratch, "t", image, bytes);
    cr_assert_eq(trace_map(path, &trace, why, 4), EBADMSG);
    cr_assert_eq(strlen(why), 3);
    cr_assert_str_eq(why + 4, "567");
}

/* ---- anything wrong ---- */

static struct ops_random stream(uint64_t seed)
{
    return ops_random((struct ops_random){.seed = seed,
                                          .threads = 1 + (unsigned)seed % 4,
                                          .ops = 120,
                                          .live = 20,
                                          .max_size = 500,
                                          .max_align_log2 = 12,
                                          .wide = seed % 2 == 0});
}

/* Flip bits in place, which is faster than writing the file again. */
static unsigned flip_and_map(int fd, struct random *random, unsigned flips)
{
    char old[4], new;
    off_t at[4];
    struct trace *trace;
    char why[WHY] = "";

    for (unsigned i = 0; i < flips; i++) {
        at[i] = (off_t)random_below(random, bytes);
        cr_assert_eq(pread(fd, &old[i], 1, at[i]), 1);
        new = (char)(old[i] ^ (1 << random_below(random, 8)));
        cr_assert_eq(pwrite(fd, &new, 1, at[i]), 1);
    }
    int err = trace_map(path, &trace, why, sizeof why);
    if (!err) {
        const char *fault = trace_walk(trace);

        cr_assert_null(fault, "accepted at byte %ld: %s", (long)at[0], fault);
        trace_unmap(trace);
    } else {
        cr_assert(err == EBADMSG || err == ENOMEM, "%d", err);
        cr_assert_neq(why[0], 0);
    }
    for (unsigned i = flips; i-- > 0;)
        cr_assert_eq(pwrite(fd, &old[i], 1, at[i]), 1);
    return err != 0;
}

Test(trace_map, whatever_is_accepted_satisfies_the_invariant)
{
    struct random random;
    unsigned refused = 0;

    random_seed(&random, 1);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct ops_random source = stream(seed);

        load(&source.source);
        int fd = open(path, O_RDWR);
        for (unsigned i = 0; i < FLIPS / 12; i++)
            refused += flip_and_map(fd, &random, 1 + i % 4);
        close(fd);
    }
    /* Sizes and places are free; opcodes, slots and mailboxes are not. */
    cr_assert_gt(refused, FLIPS / 8);
    cr_assert_lt(refused, FLIPS);
}

Test(trace_map, what_was_compiled_satisfies_the_invariant)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct ops_random source = stream(seed);
        struct trace *trace;
        char why[WHY];

        load(&source.source);
        cr_assert_eq(trace_map(path, &trace, why, sizeof why), 0, "%s", why);
        const char *fault = trace_walk(trace);
        cr_assert_null(fault, "%s", fault);
        trace_unmap(trace);
    }
    trace_unmap(NULL);
}
