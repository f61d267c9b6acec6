/* test_spool.c - raw records are played as the operations that they mean.
 *
 * Records are written here word by word, so that the reader is tested against
 * the description in spool.h and not against the recorder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool.h"

enum { ROOM = 1 << 22, TEXT_ROOM = 1 << 16 };

/* Both files of an image, in the making. */
static _Alignas(8) unsigned char spool_file[ROOM], bufs_file[ROOM];
static size_t spool_size, bufs_size;

static struct spool_header *begin_image(void)
{
    struct spool_header *h = (struct spool_header *)bufs_file;

    memset(bufs_file, 0, sizeof bufs_file);
    spool_size = 0;
    bufs_size = SPOOL_BLOCK;
    h->magic = SPOOL_HEADER_MAGIC;
    h->version = SPOOL_VERSION;
    h->pid = 77;
    h->start_ns = 1000;
    strcpy(h->program, "/usr/bin/toy");
    return h;
}

static struct spool_buffer *fill(void *at, unsigned thread, uint64_t sequence,
                                 const uint64_t *words, size_t n)
{
    struct spool_buffer *b = at;

    memset(b, 0, SPOOL_HEAD);
    b->magic = SPOOL_BUFFER_MAGIC;
    b->thread = thread;
    b->sequence = sequence;
    b->used = n;
    b->begin_ns = 1000;
    memcpy(b->records, words, n * 8);
    return b;
}

static struct spool_buffer *add_chunk(unsigned thread, uint64_t sequence,
                                      const uint64_t *words, size_t n)
{
    void *at = spool_file + spool_size;

    spool_size += SPOOL_HEAD + n * 8;
    cr_assert_leq(spool_size, ROOM);
    return fill(at, thread, sequence, words, n);
}

static void add_buffer(unsigned thread, uint64_t sequence,
                       const uint64_t *words, size_t n)
{
    fill(bufs_file + bufs_size, thread, sequence, words, n);
    bufs_size += SPOOL_BLOCK;
}

#define CHUNK(thread, sequence, ...)                                           \
    add_chunk(thread, sequence, (uint64_t[]){__VA_ARGS__},                     \
              sizeof((uint64_t[]){__VA_ARGS__}) / 8)
#define BUFFER(thread, sequence, ...)                                          \
    add_buffer(thread, sequence, (uint64_t[]){__VA_ARGS__},                    \
               sizeof((uint64_t[]){__VA_ARGS__}) / 8)

/* Heads of records; the address is that of block number `at`. */
#define AT(at)         ((uint64_t)0x7f0000000000 + (uint64_t)(at)*4096)
#define HEAD(k, s, a)  ((uint64_t)(k) << 60 | (uint64_t)(s) << 45 | (a) >> 3)
#define ALLOC(at, n)   HEAD(SPOOL_ALLOC, n, AT(at))
#define ZALLOC(at, n)  HEAD(SPOOL_ZALLOC, n, AT(at))
#define FREE(at)       HEAD(SPOOL_FREE, 0, AT(at))
#define RESIZE(at, n)  HEAD(SPOOL_RESIZE, n, AT(at))
#define TO(at)         HEAD(SPOOL_RESIZE, 0, AT(at))
#define SPAWN(thread)  HEAD(SPOOL_MARK, SPOOL_MARK_SPAWN, 8u * (thread))
#define START(thread)  HEAD(SPOOL_MARK, SPOOL_MARK_START, 8u * (thread))
#define JOIN(thread)   HEAD(SPOOL_MARK, SPOOL_MARK_JOIN, 8u * (thread))
#define WIDE(kind, l2) HEAD(SPOOL_WIDE, (kind) | (l2) << 4, 0)
#define STAMPED(head)  (SPOOL_STAMPED | (head))

/* A sink that writes operations down: "0+2:64@12 " is thread 0, birth of
 * object 2, 64 bytes, alignment 2^12; z+ zeroed, - free, ~ resize, S spawn,
 * J join, T time. */
struct notes {
    struct op_sink sink;
    char text[TEXT_ROOM];
    size_t used;
    int err; /* to return */
};

static int note(struct op_sink *sink, const struct op *op)
{
    static const char *const sign[] = {"+", "z+", "~", "-", "w",
                                       "S", "J",  "M", "T"};
    struct notes *n = (struct notes *)sink;
    char *at = n->text + n->used;
    size_t room = TEXT_ROOM - n->used;

    if (op->kind == OP_TIME)
        n->used +=
            (size_t)snprintf(at, room, "T%llu ", (unsigned long long)op->size);
    else if (op->kind == OP_FREE || op->kind == OP_SPAWN || op->kind == OP_JOIN)
        n->used +=
            (size_t)snprintf(at, room, "%u%s%llu ", op->thread, sign[op->kind],
                             (unsigned long long)op->object);
    else
        n->used += (size_t)snprintf(
            at, room, "%u%s%llu:%llu", op->thread, sign[op->kind],
            (unsigned long long)op->object, (unsigned long long)op->size);
    if (op->kind == OP_ALLOC || op->kind == OP_ZALLOC || op->kind == OP_RESIZE)
        n->used +=
            (size_t)snprintf(n->text + n->used, TEXT_ROOM - n->used,
                             op->align_log2 ? "@%u " : " ", op->align_log2);
    cr_assert_lt(n->used, TEXT_ROOM);
    return n->err;
}

static struct spool *opened(void)
{
    struct spool *s = NULL;
    char why[200] = "";
    int err = spool_open_memory(spool_file, spool_size, bufs_file, bufs_size,
                                &s, why, sizeof why);

    cr_assert_eq(err, 0, "%s", why);
    return s;
}

static const char *played(const struct spool *s)
{
    static struct notes n;

    n = (struct notes){.sink.put = note};
    cr_assert_eq(spool_source(s)->play(spool_source(s), &n.sink), 0);
    return n.text;
}

/* Play the image that was made and compare; then return its counts. */
static struct spool_counts expect(const char *text)
{
    struct spool *s = opened();

    cr_expect_str_eq(played(s), text);
    struct spool_counts first = *spool_counts(s);

    cr_expect_str_eq(played(s), text, "a second play is the same");
    cr_expect(!memcmp(&first, spool_counts(s), sizeof first));
    spool_close(s);
    return first;
}

Test(spool, one_thread_is_played_in_the_order_of_its_records)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 100), ZALLOC(2, 0), RESIZE(1, 300), TO(3), FREE(2));
    BUFFER(0, 1, FREE(3), ALLOC(3, 7));
    struct spool_counts c = expect("0+0:100 0z+1:0 0~0:300 0-1 0-0 0+2:7 ");

    cr_expect_eq(c.allocs, 3);
    cr_expect_eq(c.frees, 2);
    cr_expect_eq(c.resizes, 1);
    cr_expect_eq(c.left_blocks, 1);
    cr_expect_eq(c.dropped_bytes, 0);
}

/* Some allocators answer realloc(p, 0) with a block; a trace cannot say that.
 * Expected: a free and a birth.  Buggy: a resize to 0, refused by compile. */
Test(spool, a_resize_to_nothing_is_a_free_and_a_birth)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 100), RESIZE(1, 0), TO(3), FREE(3));
    struct spool_counts c = expect("0+0:100 0-0 0+1:0 0-1 ");

    cr_expect_eq(c.allocs, 2);
    cr_expect_eq(c.frees, 2);
    cr_expect_eq(c.resizes, 0);
    cr_expect_eq(c.left_blocks, 0);
}

Test(spool, wide_records_carry_any_address_size_and_alignment)
{
    begin_image();
    CHUNK(0, 0, WIDE(SPOOL_ALLOC, 12), 0xffff800000000001, 1u << 20,
          WIDE(SPOOL_ZALLOC, 0), 3, 40000, WIDE(SPOOL_RESIZE, 0), 3, AT(9),
          50000, WIDE(SPOOL_FREE, 0), 0xffff800000000001, FREE(9),
          WIDE(SPOOL_ALLOC, 40), AT(2), 1);
    expect("0+0:1048576@12 0z+1:40000 0~1:50000 0-0 0-1 0+2:1@30 ");
}

Test(spool, threads_are_merged_by_stamp_and_numbered_as_they_appear)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 10), STAMPED(SPAWN(5)), 100, STAMPED(SPAWN(3)), 110,
          STAMPED(ALLOC(2, 20)), 130, STAMPED(JOIN(5)), 300);
    CHUNK(3, 0, STAMPED(START(3)), 120, STAMPED(FREE(2)), 140);
    CHUNK(5, 0, STAMPED(START(5)), 115, STAMPED(FREE(1)), 125,
          STAMPED(ALLOC(1, 30)), 150);
    struct spool_counts c = expect("0+0:10 0S1 0S2 1-0 0+1:20 2-1 1+2:30 0J1 ");

    cr_expect_eq(c.cross_frees, 2);
    cr_expect_eq(c.stray_marks, 0);
}

Test(spool, a_resize_gives_its_old_address_up_before_it_has_the_new_one)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 10), STAMPED(SPAWN(1)), 5, STAMPED(RESIZE(1, 99)),
          TO(2), 100, 200);
    CHUNK(1, 0, STAMPED(ALLOC(1, 20)), 150, STAMPED(FREE(1)), 160,
          STAMPED(FREE(2)), 250);
    struct spool_counts c = expect("0+0:10 0S1 1+1:20 1-1 0~0:99 1-0 ");

    cr_expect_eq(c.implicit_frees, 0);
    cr_expect_eq(c.cross_frees, 1);
}

Test(spool, what_was_not_seen_is_implied_or_left_out_and_counted)
{
    begin_image();
    CHUNK(0, 0, FREE(1), ALLOC(2, 5), ALLOC(2, 6), RESIZE(3, 7), TO(4),
          RESIZE(4, 8), TO(2), FREE(2), FREE(2));
    struct spool_counts c = expect("0+0:5 0-0 0+1:6 0+2:7 0-1 0~2:8 0-2 ");

    cr_expect_eq(c.unknown_frees, 2);
    cr_expect_eq(c.implicit_frees, 2);
    cr_expect_eq(c.unknown_resizes, 1);
    cr_expect_eq(c.frees, 1);
}

Test(spool, a_chunk_that_is_in_both_files_is_played_once)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 1));
    CHUNK(0, 1, ALLOC(2, 2));
    BUFFER(0, 1, ALLOC(2, 2));
    cr_expect_eq(expect("0+0:1 0+1:2 ").lost_chunks, 0);
}

Test(spool, a_hole_in_the_sequence_is_counted)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 1));
    CHUNK(0, 3, ALLOC(2, 2));
    cr_expect_eq(expect("0+0:1 0+1:2 ").lost_chunks, 2);
}

Test(spool, a_chunk_cut_short_by_a_kill_is_taken_from_its_buffer)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 1));
    CHUNK(0, 1, ALLOC(2, 2), ALLOC(3, 3));
    spool_size -= 8;
    BUFFER(0, 1, ALLOC(2, 2), ALLOC(3, 3));
    cr_expect_eq(expect("0+0:1 0+1:2 0+2:3 ").dropped_bytes, 0);
}

Test(spool, a_chunk_cut_short_without_its_buffer_is_dropped_and_counted)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 1));
    CHUNK(0, 1, ALLOC(2, 2), ALLOC(3, 3));
    spool_size -= 8;
    cr_expect_eq(expect("0+0:1 ").dropped_bytes, SPOOL_HEAD + 8);
}

/* Each is the end of a chunk that begins with a good record. */
static const struct {
    const char *what;
    uint64_t words[3];
    size_t n;
} broken[] = {
    {"no kind", {0}, 1},
    {"a kind that is none", {HEAD(7, 0, 0)}, 1},
    {"a stamp that is missing", {STAMPED(FREE(1))}, 1},
    {"half a resize", {RESIZE(1, 2)}, 1},
    {"a wide record of nothing", {WIDE(0, 0), AT(3), 1}, 3},
    {"a wide record without its size", {WIDE(SPOOL_ALLOC, 0), AT(3)}, 2},
    {"address 0", {HEAD(SPOOL_ALLOC, 9, 0)}, 1},
    {"a resize to address 0", {RESIZE(1, 2), HEAD(SPOOL_RESIZE, 0, 0)}, 2},
    {"more than PTRDIFF_MAX bytes",
     {WIDE(SPOOL_ALLOC, 0), AT(3), UINT64_MAX},
     3},
};

Test(spool, a_record_that_is_not_valid_ends_its_chunk_only)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        uint64_t words[4] = {ALLOC(1, 1)};

        begin_image();
        memcpy(words + 1, broken[i].words, sizeof broken[i].words);
        add_chunk(0, 0, words, 1 + broken[i].n);
        CHUNK(0, 1, ALLOC(2, 2));
        cr_expect_eq(expect("0+0:1 0+1:2 ").dropped_bytes, broken[i].n * 8,
                     "%s", broken[i].what);
    }
}

Test(spool, marks_that_fit_no_thread_are_left_out)
{
    begin_image();
    CHUNK(0, 0, STAMPED(SPAWN(9)), 1, STAMPED(JOIN(9)), 2, STAMPED(SPAWN(0)), 3,
          STAMPED(JOIN(1)), 4, STAMPED(SPAWN(1)), 20, STAMPED(JOIN(0)), 21,
          STAMPED(JOIN(1)), 40, STAMPED(JOIN(1)), 41);
    CHUNK(1, 0, STAMPED(ALLOC(1, 1)), 10, STAMPED(FREE(1)), 30);
    cr_expect_eq(expect("1+0:1 1-0 0J1 ").stray_marks, 7);
}

Test(spool, stamps_that_go_back_keep_the_order_of_their_thread)
{
    begin_image();
    CHUNK(0, 0, STAMPED(ALLOC(1, 1)), 100, STAMPED(FREE(1)), 50);
    cr_expect_eq(expect("0+0:1 0-0 ").late_stamps, 1);
}

Test(spool, after_the_stop_stamp_nothing_is_played)
{
    struct spool_header *h = begin_image();

    h->stop_errno = ENOSPC;
    h->stop_stamp = 50;
    CHUNK(0, 0, STAMPED(ALLOC(1, 1)), 40, STAMPED(FREE(1)), 60);
    BUFFER(1, 0, STAMPED(ALLOC(2, 1)), 45, STAMPED(FREE(2)), 70);
    cr_expect_eq(expect("0+0:1 1+1:1 ").dropped_bytes, 32);
    struct spool *s = opened();

    cr_expect_eq(spool_about(s)->stop_errno, ENOSPC);
    spool_close(s);
}

Test(spool, time_comes_with_chunks_and_never_goes_back)
{
    begin_image();
    CHUNK(0, 0, ALLOC(1, 1))->begin_ns = 1500;
    CHUNK(0, 1, ALLOC(2, 1))->begin_ns = 1400;
    CHUNK(0, 2, ALLOC(3, 1))->begin_ns = 2000;
    expect("T500 0+0:1 0+1:1 T1000 0+2:1 ");
}

Test(spool, about_says_what_the_image_is)
{
    struct spool_header *h = begin_image();

    h->is_forked = 1;
    h->parent = 76;
    CHUNK(0, 0, ALLOC(1, 1), FREE(1));
    CHUNK(4, 0, STAMPED(ALLOC(1, 1)), 5);
    struct spool *s = opened();
    const struct spool_about *a = spool_about(s);

    cr_expect_eq(a->pid, 77);
    cr_expect_eq(a->parent, 76);
    cr_expect_eq(a->is_forked, 1);
    cr_expect_eq(a->threads, 2);
    cr_expect_eq(a->bytes, 32);
    cr_expect_str_eq(a->program, "/usr/bin/toy");
    spool_close(s);
}

static int open_error(char why[200])
{
    struct spool *s = NULL;

    why[0] = 0;
    return spool_open_memory(spool_file, spool_size, bufs_file, bufs_size, &s,
                             why, 200);
}

Test(spool, threads_beyond_the_limit_are_refused_and_so_said)
{
    char why[200];

    begin_image();
    for (unsigned i = 0; i < OP_MAX_THREADS; i++)
        CHUNK(i * 3, 0, ALLOC(i, 1));
    spool_close(opened());
    CHUNK(4000, 0, ALLOC(1, 1));
    cr_expect_eq(open_error(why), E2BIG);
    cr_expect(strstr(why, "1024 threads"), "%s", why);
}

Test(spool, files_of_another_kind_are_refused)
{
    char why[200];

    begin_image()->version = 99;
    cr_expect_eq(open_error(why), EBADMSG);
    cr_expect(strstr(why, "version"), "%s", why);
    begin_image()->magic = 1;
    cr_expect_eq(open_error(why), EBADMSG);
    memset(begin_image()->command, 'x', SPOOL_TEXT);
    cr_expect_eq(open_error(why), EBADMSG);
    begin_image();
    bufs_size = 100;
    cr_expect_eq(open_error(why), EBADMSG);
    struct spool *s;

    cr_expect_eq(spool_open("/nonexistent", "1.0", &s, why, sizeof why),
                 ENOENT);
    cr_expect(strstr(why, "/nonexistent"), "%s", why);
}

Test(spool, the_error_of_a_sink_ends_the_play)
{
    struct notes n = {.sink.put = note, .err = ENOSPC};

    begin_image();
    CHUNK(0, 0, ALLOC(1, 1), ALLOC(2, 2));
    struct spool *s = opened();

    cr_expect_eq(spool_source(s)->play(spool_source(s), &n.sink), ENOSPC);
    cr_expect_str_eq(n.text, "0+0:1 ");
    spool_close(s);
}

enum { BLOCKS = 3000, STEPS = 15000 };

struct script {
    struct op_sink sink;
    enum op_kind kind[STEPS];
    uint64_t object[STEPS];
    size_t at, wrong;
};

static int compare(struct op_sink *sink, const struct op *op)
{
    struct script *s = (struct script *)sink;

    s->wrong += s->at >= STEPS || op->kind != s->kind[s->at] ||
                op->object != s->object[s->at];
    s->at++;
    return 0;
}

/* Many blocks, so that the map of addresses grows, coming and going, so that
 * it shifts: each free must find the object that was born there. */
Test(spool, every_free_finds_the_block_that_is_at_its_address)
{
    static uint64_t words[STEPS], born_as[BLOCKS];
    static struct script script = {.sink.put = compare};
    uint64_t seed = 9, births = 0;

    begin_image();
    for (size_t i = 0; i < STEPS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(seed >> 33) % BLOCKS;

        script.kind[i] = born_as[at] ? OP_FREE : OP_ALLOC;
        words[i] = born_as[at] ? FREE(at + 1) : ALLOC(at + 1, at);
        script.object[i] = born_as[at] ? born_as[at] - 1 : births;
        born_as[at] = born_as[at] ? 0 : ++births;
    }
    for (size_t i = 0; i < STEPS; i += 5000)
        add_chunk(0, i / 5000, words + i, 5000);
    struct spool *s = opened();

    cr_expect_eq(spool_source(s)->play(spool_source(s), &script.sink), 0);
    cr_expect_eq(script.at, (size_t)STEPS);
    cr_expect_eq(script.wrong, (size_t)0);
    cr_expect_eq(spool_counts(s)->left_blocks, births - spool_counts(s)->frees);
    spool_close(s);
}
