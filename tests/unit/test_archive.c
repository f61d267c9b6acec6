/* test_archive.c - an archive gives back what was put in, or says what is
 * wrong with it.
 *
 * Streams are random but well formed; each failure names its seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RLIMIT_FSIZE's signal, mkdtemp, memmem */

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "archive.h"
#include "archive_format.h"
#include "ops_list.h"

enum { LIVE_MAX = 300, WHY_SIZE = 600 };

static const char provenance[] = "program: test\nlicence: Apache-2.0\n"
                                 "comment: caf\xc3\xa9\n";

/* ---- a folder of its own for each test ---- */

static char folder[64], path[96];

static void make_folder(void)
{
    /* in memory where there is such a place: each archive is synced */
    strcpy(folder, "/dev/shm/heapyard-archive-XXXXXX");
    if (!mkdtemp(folder)) {
        strcpy(folder, "/tmp/heapyard-archive-XXXXXX");
        cr_assert_not_null(mkdtemp(folder));
    }
    snprintf(path, sizeof path, "%s/t.hyt", folder);
}

static unsigned files_in_folder(void)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    cr_assert_not_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(archive, .init = make_folder, .fini = remove_folder);

/* ---- operations in memory ---- */

struct op_list {
    struct op_sink sink;
    struct op *op;
    size_t n, capacity;
};

static int list_put(struct op_sink *sink, const struct op *op)
{
    struct op_list *list = (struct op_list *)sink;

    if (list->n == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 1024;
        list->op = realloc(list->op, list->capacity * sizeof *list->op);
        cr_assert_not_null(list->op);
    }
    list->op[list->n] = *op;
    if (op->name)
        list->op[list->n].name = strdup(op->name);
    list->n++;
    return 0;
}

static void list_free(struct op_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free((char *)list->op[i].name);
    free(list->op);
    *list = (struct op_list){.sink.put = list_put};
}

static int same_op(const struct op *a, const struct op *b)
{
    return ops_same(a, b) && !a->name == !b->name &&
           (!a->name || !strcmp(a->name, b->name));
}

static int same_list(const struct op_list *a, const struct op_list *b)
{
    if (a->n != b->n)
        return 0;
    for (size_t i = 0; i < a->n; i++)
        if (!same_op(&a->op[i], &b->op[i]))
            return 0;
    return 1;
}

/* ---- random well-formed streams ---- */

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Every magnitude from 0 to 2^bits - 1 about equally often. */
static uint64_t random_size(uint64_t *state, unsigned bits)
{
    unsigned shift = 64 - (unsigned)(next_random(state) % (bits + 1));

    return shift == 64 ? 0 : next_random(state) >> shift;
}

struct stream {
    struct op_sink *sink;
    uint64_t random;
    uint64_t births, time_ns;
    uint64_t live[LIVE_MAX], size[LIVE_MAX];
    unsigned nlive;
    unsigned threads;
    uint16_t thread;
};

static void put_birth(struct stream *s)
{
    struct op op = {.kind = OP_ALLOC, .thread = s->thread};
    uint64_t choice = next_random(&s->random) % 8;

    if (s->nlive == LIVE_MAX)
        return;
    if (choice == 0)
        op.kind = OP_ZALLOC;
    if (choice == 1)
        op.align_log2 =
            (uint8_t)(next_random(&s->random) % (OP_MAX_ALIGN_LOG2 + 1));
    op.object = s->births++;
    op.size = random_size(&s->random, choice == 2 ? 54 : 14);
    s->live[s->nlive] = op.object;
    s->size[s->nlive++] = op.size;
    cr_assert_eq(s->sink->put(s->sink, &op), 0);
}

static void put_use(struct stream *s, enum op_kind kind)
{
    struct op op = {.kind = kind, .thread = s->thread};

    if (!s->nlive)
        return;
    unsigned i = (unsigned)(next_random(&s->random) % s->nlive);
    op.object = s->live[i];
    if (kind == OP_TOUCH)
        op.size = next_random(&s->random) % (s->size[i] + 1);
    if (kind == OP_RESIZE)
        op.size = s->size[i] = 1 + random_size(&s->random, 20);
    if (kind == OP_FREE) {
        s->live[i] = s->live[--s->nlive];
        s->size[i] = s->size[s->nlive];
    }
    cr_assert_eq(s->sink->put(s->sink, &op), 0);
}

static void put_rare(struct stream *s)
{
    static const char *const names[] = {
        "", "warm up", "\xc3\xa9",
        "123456789012345678901234567890123456789012345678"};
    uint64_t choice = next_random(&s->random);
    struct op op = {.kind = OP_MARK, .thread = s->thread};

    switch (choice % 4) {
    case 0:
        op.name = names[choice / 4 % 4];
        break;
    case 1:
        op.kind = choice / 4 % 2 ? OP_SPAWN : OP_JOIN;
        op.object = (s->thread + 1u + choice / 8 % (OP_MAX_THREADS - 1)) %
                    OP_MAX_THREADS;
        break;
    default:
        s->time_ns += random_size(&s->random, 40);
        op = (struct op){.kind = OP_TIME, .size = s->time_ns};
    }
    cr_assert_eq(s->sink->put(s->sink, &op), 0);
}

/* The same operations for the same seed and n, whatever the sink. */
static void feed_random(struct op_sink *sink, uint64_t seed, size_t n)
{
    struct stream s = {.sink = sink, .random = seed};

    s.threads = 1 + (unsigned)(next_random(&s.random) % OP_MAX_THREADS);
    for (size_t i = 0; i < n; i++) {
        uint64_t choice = next_random(&s.random) % 64;

        if (choice < 4)
            s.thread = (uint16_t)(next_random(&s.random) % s.threads);
        if (choice < 28)
            put_birth(&s);
        else if (choice < 52)
            put_use(&s, OP_FREE);
        else if (choice < 56)
            put_use(&s, OP_RESIZE);
        else if (choice < 60)
            put_use(&s, OP_TOUCH);
        else
            put_rare(&s);
    }
}

/* ---- files ---- */

static void write_random(uint64_t seed, size_t n)
{
    struct archive_writer *writer;

    cr_assert_eq(archive_create(path, provenance, 3, &writer), 0);
    feed_random(archive_sink(writer), seed, n);
    cr_assert_eq(archive_commit(writer), 0);
}

/* Read the archive at path into a list.  Returns what open or play did. */
static int read_list(struct op_list *list, char why[WHY_SIZE])
{
    struct archive *archive;
    int err = archive_open(path, &archive, why, WHY_SIZE);

    if (err)
        return err;
    err = archive_source(archive)->play(archive_source(archive), &list->sink);
    snprintf(why, WHY_SIZE, "%s", archive_why(archive));
    archive_close(archive);
    return err;
}

static size_t load(uint8_t **bytes)
{
    FILE *file = fopen(path, "rb");
    struct stat st;

    cr_assert_not_null(file);
    cr_assert_eq(fstat(fileno(file), &st), 0);
    *bytes = malloc((size_t)st.st_size + 1);
    cr_assert_eq(fread(*bytes, 1, (size_t)st.st_size, file),
                 (size_t)st.st_size);
    fclose(file);
    return (size_t)st.st_size;
}

static void store(const uint8_t *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, n, file), n);
    cr_assert_eq(fclose(file), 0);
}

/* ---- what was put in comes back ---- */

static void check_round_trip(uint64_t seed, size_t n)
{
    struct op_list want = {.sink.put = list_put}, is = want;
    char why[WHY_SIZE] = "";

    feed_random(&want.sink, seed, n);
    write_random(seed, n);
    cr_assert_eq(read_list(&is, why), 0, "seed %lu: %s", (unsigned long)seed,
                 why);
    cr_assert(same_list(&want, &is), "seed %lu", (unsigned long)seed);
    list_free(&want);
    list_free(&is);
}

Test(archive, random_streams_come_back_as_they_were)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        check_round_trip(seed, 1 + seed * 7 % 500);
}

Test(archive, streams_of_many_chunks_come_back_as_they_were)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        check_round_trip(seed, 200000 + seed);
}

Test(archive, chunks_end_exactly_where_they_are_full)
{
    static const struct {
        unsigned ops, chunks;
    } cases[] = {{0, 0},
                 {1, 1},
                 {ARCHIVE_CHUNK_OPS - 1, 1},
                 {ARCHIVE_CHUNK_OPS, 1},
                 {ARCHIVE_CHUNK_OPS + 1, 2},
                 {2 * ARCHIVE_CHUNK_OPS, 2}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct archive_writer *writer;
        struct archive *archive;
        char why[WHY_SIZE];

        cr_assert_eq(archive_create(path, "", 1, &writer), 0);
        struct op_feed feed = {.sink = archive_sink(writer)};
        for (unsigned j = 0; j < cases[i].ops; j++)
            feed_alloc(&feed, 0, 8);
        cr_assert_eq(feed.err, 0);
        cr_assert_eq(archive_commit(writer), 0);
        cr_assert_eq(archive_open(path, &archive, why, sizeof why), 0);
        cr_assert_eq(archive_totals(archive)->chunks, cases[i].chunks);
        cr_assert_eq(archive_ops(archive), cases[i].ops);
        archive_close(archive);
    }
}

Test(archive, the_largest_operations_fit_a_chunk)
{
    struct op_list want = {.sink.put = list_put}, is = want;
    struct archive_writer *writer;
    char why[WHY_SIZE] = "";

    cr_assert_eq(archive_create(path, "", 1, &writer), 0);
    struct op_feed feed = {.sink = archive_sink(writer)},
                   copy = {.sink = &want.sink};
    for (unsigned i = 0; i < ARCHIVE_CHUNK_OPS; i++) {
        const char *name = "123456789012345678901234567890123456789012345678";
        feed_mark(&feed, 1022 + i % 2, name);
        feed_mark(&copy, 1022 + i % 2, name);
    }
    feed_alloc(&feed, 0, INT64_MAX);
    feed_alloc(&copy, 0, INT64_MAX);
    cr_assert_eq(feed.err, 0);
    cr_assert_eq(archive_commit(writer), 0);
    cr_assert_eq(read_list(&is, why), 0, "%s", why);
    cr_assert(same_list(&want, &is));
    list_free(&want);
    list_free(&is);
}

Test(archive, totals_are_those_of_the_stream)
{
    struct archive_writer *writer;
    struct archive *archive;
    char why[WHY_SIZE];

    cr_assert_eq(archive_create(path, provenance, 3, &writer), 0);
    struct op_feed feed = {.sink = archive_sink(writer)};
    feed_spawn(&feed, 0, 5);
    uint64_t a = feed_alloc(&feed, 0, 100);
    uint64_t b = feed_aligned(&feed, 5, 50, 64);
    feed_resize(&feed, 5, a, 200); /* the peak: 250 */
    feed_free(&feed, 0, a);
    feed_resize(&feed, 0, b, 60);
    archive_sink(writer)->put(archive_sink(writer),
                              &(struct op){.kind = OP_TIME, .size = 7});
    cr_assert_eq(feed.err, 0);
    cr_assert_eq(archive_commit(writer), 0);
    cr_assert_eq(archive_open(path, &archive, why, sizeof why), 0);
    const struct archive_totals *t = archive_totals(archive);
    cr_assert_eq(t->ops, 6);
    cr_assert_eq(t->times, 1);
    cr_assert_eq(t->births, 2);
    cr_assert_eq(t->threads, 6);
    cr_assert_eq(t->peak_bytes, 250);
    cr_assert_eq(t->left_blocks, 1);
    cr_assert_eq(t->left_bytes, 60);
    cr_assert_str_eq(archive_provenance(archive), provenance);
    archive_close(archive);
}

/* workloads/traces/README.md shows these bytes: other readers rely on them. */
Test(archive, operations_are_encoded_as_documented)
{
    static const uint8_t want[] = {0xc1, 0x01, 0xa1, 0x06, 0x2d,
                                   0x08, 0x03, 0xc8, 0x01};
    struct archive_writer *writer;
    uint8_t *bytes, raw[64];

    cr_assert_eq(archive_create(path, "", 3, &writer), 0);
    struct op_feed feed = {.sink = archive_sink(writer)};
    uint64_t a = feed_alloc(&feed, 0, 24), b = feed_alloc(&feed, 0, 100);
    feed_free(&feed, 5, a);
    feed_resize(&feed, 5, b, 200);
    cr_assert_eq(feed.err, 0);
    cr_assert_eq(archive_commit(writer), 0);
    load(&bytes);
    const uint8_t *head = bytes + HEADER_SIZE;
    cr_assert_eq(memcmp(head, "HYTC", 4), 0);
    cr_assert_eq(get_u32(head + 4), sizeof want);
    cr_assert_eq(get_u32(head + 12), 4);
    size_t n = ZSTD_decompress(raw, sizeof raw, head + CHUNK_HEAD_SIZE,
                               get_u32(head + 8));
    cr_assert_eq(n, sizeof want);
    cr_assert_eq(memcmp(raw, want, sizeof want), 0);
    free(bytes);
}

/* ---- density and size ---- */

Test(archive, a_repetitive_program_takes_well_under_a_byte_an_operation)
{
    struct archive_writer *writer;
    struct archive *archive;
    char why[WHY_SIZE];

    cr_assert_eq(archive_create(path, "", 3, &writer), 0);
    struct op_feed feed = {.sink = archive_sink(writer)};
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t a = feed_alloc(&feed, 0, 24), b = feed_alloc(&feed, 0, 100);
        feed_free(&feed, 0, a);
        feed_free(&feed, 0, b);
    }
    cr_assert_eq(archive_commit(writer), 0);
    cr_assert_eq(archive_open(path, &archive, why, sizeof why), 0);
    cr_assert_lt(archive_bytes(archive), archive_ops(archive) / 20);
    archive_close(archive);
}

/* ---- damage ---- */

Test(archive, a_file_cut_at_any_byte_is_refused)
{
    struct op_list list = {.sink.put = list_put};
    uint8_t *bytes;

    write_random(42, 400);
    size_t n = load(&bytes);
    for (size_t cut = 0; cut < n; cut++) {
        char why[WHY_SIZE] = "";

        store(bytes, cut);
        cr_assert_eq(read_list(&list, why), EBADMSG, "cut at %zu", cut);
        cr_assert_eq(strncmp(why, path, strlen(path)), 0, "%s", why);
        cr_assert_eq(list.n, 0, "cut at %zu: played before refused", cut);
    }
    free(bytes);
}

Test(archive, a_changed_byte_is_noticed_wherever_it_is)
{
    struct op_list want = {.sink.put = list_put};
    uint8_t *bytes;

    write_random(43, 400);
    feed_random(&want.sink, 43, 400);
    size_t n = load(&bytes);
    for (size_t at = 0; at < n; at++)
        for (unsigned change = 1; change < 256; change += 37) {
            struct op_list is = {.sink.put = list_put};
            char why[WHY_SIZE] = "";

            bytes[at] ^= (uint8_t)change;
            store(bytes, n);
            bytes[at] ^= (uint8_t)change;
            int err = read_list(&is, why);
            cr_assert(err == EBADMSG || (!err && same_list(&want, &is)),
                      "byte %zu ^ %u: %d %s", at, change, err, why);
            cr_assert(!err || why[0]);
            list_free(&is);
        }
    list_free(&want);
    free(bytes);
}

Test(archive, bytes_after_the_trailer_are_refused)
{
    struct op_list list = {.sink.put = list_put};
    char why[WHY_SIZE] = "";
    uint8_t *bytes;

    write_random(44, 50);
    size_t n = load(&bytes);
    bytes[n] = 0;
    store(bytes, n + 1);
    cr_assert_eq(read_list(&list, why), EBADMSG);
    cr_assert_not_null(strstr(why, "1 bytes follow the trailer"), "%s", why);
    free(bytes);
}

/* Chunk heads and contents that are under a correct CRC, yet wrong: what a
 * hostile writer would make. */
struct forgery {
    const char *what, *why;
    uint8_t raw[32];
    uint32_t raw_size;
    uint32_t claimed_size, ops; /* claimed_size 0: raw_size */
    uint64_t first_birth;
};

#define LONG_VARINT 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f

static const struct forgery forgeries[] = {
    {"free before the first birth", "before the first", {0x00}, 1, 0, 1, 0},
    {"resize likewise", "before the first", {0x03, 5}, 2, 0, 1, 0},
    {"too few operations", "fewer operations", {0x09, 0x89, 1}, 3, 0, 3, 0},
    {"too many bytes", "more bytes", {0x09, 0x09}, 2, 0, 1, 0},
    {"cut operation", "ends inside", {0x09, 0x89}, 2, 0, 2, 0},
    {"cut name", "ends inside", {0x1f, 40, 'a'}, 3, 0, 1, 0},
    {"name of 49 bytes", "too long", {0x1f, 49, 'a'}, 3, 0, 1, 0},
    {"newline in a name", "control byte", {0x1f, 1, '\n'}, 3, 0, 1, 0},
    {"thread 1024", "thread out of range", {0x85, 64, 0x09}, 3, 0, 1, 0},
    {"spawn of thread 1024", "thread out of range", {0x0f, 128, 8}, 3, 0, 1, 0},
    {"two changes of thread", "twice", {0x0d, 0x0d, 0x09}, 3, 0, 1, 0},
    {"alignment 2^31", "alignment", {0x07, 31, 1}, 3, 0, 1, 0},
    {"alignment 2^0", "alignment", {0x07, 0, 1}, 3, 0, 1, 0},
    {"unknown kind", "unknown kind", {0x27, 0}, 2, 0, 1, 0},
    {"number of 67 bits", "64 bits", {0x81, LONG_VARINT}, 11, 0, 1, 0},
    {"size of 2^64 - 1",
     "size out of range",
     {0xf9, 255, 255, 255, 255, 255, 255, 255, 255, 15},
     10,
     0,
     1,
     0},
    {"size of a resize",
     "size out of range",
     {0x01, 0x03, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
     12,
     0,
     2,
     0},
    {"time past 2^64",
     "time does not fit",
     {0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 15, 0x0e},
     11,
     0,
     2,
     0},
    {"births from nowhere", "first birth is 7", {0x09}, 1, 0, 1, 7},
    {"unpacks to less", "unpacks to 1 bytes", {0x09}, 1, 2, 1, 0},
    {"unpacks to more", "cannot be unpacked", {9, 9, 9}, 3, 2, 2, 0},
    {"no operations", "0 operations", {0x09}, 1, 0, 0, 0},
    {"65537 operations", "65537 operations", {0x09}, 1, 65537, 65537, 0},
    {"4 GiB for one operation", "unpacked", {0x09}, 1, 0xffffffff, 1, 0},
    {"more births than the trailer",
     "births (the trailer says",
     {0x09},
     1,
     0,
     1,
     0},
};

static void forge(const struct forgery *f)
{
    struct archive_totals totals = {.ops = f->ops, .threads = 1, .chunks = 1};
    uint8_t file[512] = {0}, *p = file;

    memcpy(p, ARCHIVE_MAGIC, MAGIC_SIZE);
    put_u16(p + 8, ARCHIVE_VERSION);
    put_u32(p + 16, header_crc(p, "", 0));
    p += HEADER_SIZE;
    size_t n = ZSTD_compress(p + CHUNK_HEAD_SIZE, 256, f->raw, f->raw_size, 1);
    cr_assert_not(ZSTD_isError(n));
    struct chunk_head head = {.raw_size = f->claimed_size ? f->claimed_size
                                                          : f->raw_size,
                              .packed_size = (uint32_t)n,
                              .ops = f->ops,
                              .first_birth = f->first_birth};
    chunk_head_pack(&head, p);
    head.crc = chunk_crc(p, p + CHUNK_HEAD_SIZE, n);
    chunk_head_pack(&head, p);
    p += CHUNK_HEAD_SIZE + n;
    trailer_pack(&totals, p);
    store(file, (size_t)(p + TRAILER_SIZE - file));
}

Test(archive, forged_chunks_are_refused_with_the_reason)
{
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        struct op_list list = {.sink.put = list_put};
        char why[WHY_SIZE] = "";

        forge(&forgeries[i]);
        cr_assert_eq(read_list(&list, why), EBADMSG, "%s", forgeries[i].what);
        cr_assert_not_null(strstr(why, forgeries[i].why), "%s: %s",
                           forgeries[i].what, why);
        list_free(&list);
    }
}

Test(archive, messages_say_where_and_what_would_be_right)
{
    struct op_list list = {.sink.put = list_put};
    char why[WHY_SIZE] = "", want[WHY_SIZE];
    uint8_t *bytes;

    write_random(45, 100000);
    size_t n = load(&bytes);
    uint8_t *second =
        memmem(bytes + HEADER_SIZE + 100, n - HEADER_SIZE - 100, "HYTC", 4);
    cr_assert_not_null(second);
    size_t at = (size_t)(second - bytes);

    second[CHUNK_HEAD_SIZE + 9] ^= 1;
    store(bytes, n);
    second[CHUNK_HEAD_SIZE + 9] ^= 1;
    cr_assert_eq(read_list(&list, why), EBADMSG);
    snprintf(want, sizeof want, "%s: chunk 2 at byte %zu: CRC is ", path, at);
    cr_assert_eq(strncmp(why, want, strlen(want)), 0, "%s", why);
    cr_assert_eq(list.n, ARCHIVE_CHUNK_OPS, "the first chunk is whole");
    list_free(&list);

    store(bytes, at + 99);
    cr_assert_eq(read_list(&list, why), EBADMSG);
    snprintf(want, sizeof want,
             "%s: ends at byte %zu inside chunk 2 (want a trailer)", path,
             at + 99);
    cr_assert_str_eq(why, want);

    put_u16(bytes + 8, 9);
    store(bytes, n);
    cr_assert_eq(read_list(&list, why), EBADMSG);
    snprintf(want, sizeof want,
             "%s: is of version 9 (this program reads version 1)", path);
    cr_assert_str_eq(why, want);
    free(bytes);
}

Test(archive, the_errors_of_a_sink_are_passed_on)
{
    struct archive *archive;
    char why[WHY_SIZE];
    struct archive_writer *writer;

    write_random(46, 100);
    cr_assert_eq(archive_open(path, &archive, why, sizeof why), 0);
    char other[128];
    snprintf(other, sizeof other, "%s/other.hyt", folder);
    cr_assert_eq(archive_create(other, "", 1, &writer), 0);
    struct op_feed feed = {.sink = archive_sink(writer)};
    feed_alloc(&feed, 0, 1); /* now the births of the archive are wrong */
    const struct trace_source *source = archive_source(archive);
    cr_assert_eq(source->play(source, archive_sink(writer)), EBADMSG);
    cr_assert_str_eq(archive_why(archive), "");
    cr_assert_not_null(strstr(archive_writer_why(writer), "birth of object 0"));
    archive_abandon(writer);
    archive_close(archive);
}

Test(archive, it_can_be_played_many_times)
{
    struct op_list first = {.sink.put = list_put}, second = first;
    struct archive *archive;
    char why[WHY_SIZE];

    write_random(47, 70000);
    cr_assert_eq(archive_open(path, &archive, why, sizeof why), 0);
    const struct trace_source *source = archive_source(archive);
    cr_assert_eq(source->play(source, &first.sink), 0);
    cr_assert_eq(source->play(source, &second.sink), 0);
    cr_assert(same_list(&first, &second));
    archive_close(archive);
    list_free(&first);
    list_free(&second);
}

/* ---- writing ---- */

static const struct {
    const char *text;
    int err;
} provenances[] = {
    {"", 0},
    {"key: value", 0},
    {"key: value\n\nother:\n", 0},
    {"key: \xe2\x82\xac \xf0\x9f\x8c\xb3\n", 0},
    {"no colon\n", EINVAL},
    {": no key\n", EINVAL},
    {"key: tab\there\n", EINVAL},
    {"key: \x1b[2J\n", EINVAL},
    {"key: \x7f\n", EINVAL},
    {"key: \xc2\x9b\n", EINVAL},     /* C1 control */
    {"key: \xc3\n", EINVAL},         /* cut character */
    {"key: \xc0\xaf\n", EINVAL},     /* overlong */
    {"key: \xed\xa0\x80\n", EINVAL}, /* surrogate */
    {"key: \xf4\x90\x80\x80\n", EINVAL},
};

Test(archive, provenance_is_text_without_control_bytes)
{
    for (size_t i = 0; i < sizeof provenances / sizeof *provenances; i++) {
        struct archive_writer *writer;
        int err = archive_create(path, provenances[i].text, 3, &writer);

        cr_assert_eq(err, provenances[i].err, "case %zu", i);
        if (!err)
            archive_abandon(writer);
    }
}

Test(archive, provenance_is_at_most_16384_bytes)
{
    char text[ARCHIVE_PROVENANCE_MAX + 2] = "key: ";
    struct archive_writer *writer;

    memset(text + 5, 'x', sizeof text - 6);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(archive_create(path, text, 3, &writer), EINVAL);
    text[sizeof text - 2] = '\0';
    cr_assert_eq(archive_create(path, text, 3, &writer), 0);
    cr_assert_eq(archive_commit(writer), 0);
}

/* What is known only at the end, in the middle of chunks. */
Test(archive, provenance_can_be_amended_before_the_end)
{
    char why[WHY_SIZE];
    struct archive_writer *w;
    struct archive *a;
    struct op op = {.kind = OP_ALLOC, .size = 9};

    cr_assert_eq(archive_create(path, "program: x\n\n\n\n\n\n\n", 3, &w), 0);
    for (; op.object <= ARCHIVE_CHUNK_OPS; op.object++)
        cr_assert_eq(archive_sink(w)->put(archive_sink(w), &op), 0);
    cr_expect_eq(archive_amend(w, "program: much too long\n"), EINVAL);
    cr_expect_eq(archive_amend(w, "program\n"), EINVAL);
    cr_expect_eq(archive_amend(w, "program: other\n"), 0);
    cr_assert_eq(archive_sink(w)->put(archive_sink(w), &op), 0);
    cr_assert_eq(archive_commit(w), 0);
    cr_assert_eq(archive_open(path, &a, why, sizeof why), 0, "%s", why);
    cr_expect_str_eq(archive_provenance(a), "program: other\n\n\n");
    struct op_list list = {.sink.put = list_put};

    cr_expect_eq(archive_source(a)->play(archive_source(a), &list.sink), 0,
                 "%s", archive_why(a));
    cr_expect_eq(list.n, ARCHIVE_CHUNK_OPS + 2);
    free(list.op);
    archive_close(a);
}

Test(archive, malformed_operations_are_refused_and_nothing_is_written)
{
    static const struct {
        struct op op;
        const char *why;
    } cases[] = {
        {{.kind = OP_FREE, .object = 1}, "not yet born"},
        {{.kind = OP_ALLOC, .object = 5}, "want 1"},
        {{.kind = OP_TOUCH, .object = 0, .size = 9}, "touches 9"},
        {{.kind = OP_RESIZE, .size = UINT64_MAX}, "size"},
        {{.kind = OP_ALLOC, .object = 1, .align_log2 = 31}, "2^31"},
        {{.kind = OP_ALLOC, .object = 1, .size = INT64_MAX}, "live bytes"},
        {{.kind = OP_ZALLOC, .object = 1, .align_log2 = 4}, "zeroed"},
        {{.kind = OP_MARK, .name = "\x1b"}, "control"},
        {{.kind = OP_MARK}, "without a name"},
        {{.kind = OP_SPAWN, .object = 0}, "itself"},
        {{.kind = OP_JOIN, .object = 1024}, "1024"},
        {{.kind = OP_FREE, .thread = 1024}, "thread 1024"},
        {{.kind = OP_TIME, .size = 4}, "time 4 ns after 5 ns"},
        {{.kind = OP_KINDS}, "kind"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct archive_writer *writer;

        cr_assert_eq(archive_create(path, "", 3, &writer), 0);
        struct op_sink *sink = archive_sink(writer);
        struct op_feed feed = {.sink = sink};
        feed_alloc(&feed, 0, 8);
        cr_assert_eq(sink->put(sink, &(struct op){.kind = OP_TIME, .size = 5}),
                     0);
        cr_assert_eq(sink->put(sink, &cases[i].op), EBADMSG, "case %zu", i);
        cr_assert_not_null(strstr(archive_writer_why(writer), cases[i].why),
                           "case %zu: %s", i, archive_writer_why(writer));
        cr_assert_eq(archive_commit(writer), EBADMSG);
        cr_assert_eq(files_in_folder(), 0);
    }
}

Test(archive, what_fails_on_the_way_leaves_the_old_file)
{
    struct rlimit limit = {.rlim_cur = 3000, .rlim_max = RLIM_INFINITY};
    struct archive_writer *writer;
    uint8_t *before, *after;

    write_random(48, 10);
    size_t n = load(&before);
    signal(SIGXFSZ, SIG_IGN); /* the write then fails with EFBIG */
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 3000;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(archive_create(path, provenance, 3, &writer), 0);
    feed_random(archive_sink(writer), 49, 20000);
    int err = archive_commit(writer);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_assert_eq(err, EFBIG);
    cr_assert_eq(load(&after), n);
    cr_assert_eq(memcmp(before, after, n), 0);
    cr_assert_eq(files_in_folder(), 1);
    free(before);
    free(after);
}

Test(archive, abandoning_leaves_no_file)
{
    struct archive_writer *writer;

    cr_assert_eq(archive_create(path, provenance, 3, &writer), 0);
    feed_random(archive_sink(writer), 50, 1000);
    cr_assert_eq(files_in_folder(), 1);
    archive_abandon(writer);
    cr_assert_eq(files_in_folder(), 0);
}

Test(archive, files_that_cannot_be_made_or_read_give_their_errno)
{
    struct archive_writer *writer;
    struct archive *archive;
    char missing[128], why[WHY_SIZE];

    snprintf(missing, sizeof missing, "%s/no/such.hyt", folder);
    cr_assert_eq(archive_create(missing, "", 3, &writer), ENOENT);
    cr_assert_eq(archive_create(folder, "", 3, &writer), ENOTSUP);
    cr_assert_eq(archive_create("/dev/null", "", 3, &writer), ENOTSUP);
    cr_assert_eq(archive_create(path, "", 0, &writer), EINVAL);
    cr_assert_eq(archive_create(path, "", 20, &writer), EINVAL);
    cr_assert_eq(archive_open(missing, &archive, why, sizeof why), ENOENT);
    cr_assert_not_null(strstr(why, missing));
    cr_assert_eq(archive_open(folder, &archive, why, sizeof why), EISDIR);
    cr_assert_eq(files_in_folder(), 0);
}
