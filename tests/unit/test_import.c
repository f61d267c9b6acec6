/* test_import.c - traces of other programs become the operations they mean.
 *
 * Each format: a golden input in each dialect, written here by hand; lines
 * that are wrong, and how that is said; what is done about calls that do not
 * fit.  Then packing, sniffing, and round trips of random traces.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "archive_format.h"
#include "import_text.h"
#include "ledger.h"
#include "ops_list.h"
#include "ops_random.h"
#include "random.h"
#include "scratch.h"

/* ---- goldens ---- */

struct golden {
    const char *format;
    const char *text;
    const char *ops;
    const char *header; /* NULL: none */
};

static const struct golden goldens[] = {
    {"android",
     "186: malloc 0xb6027400 1024\n"
     "186: free 0xb6027400\n"
     "350: calloc 0xb6027400 3 5\n"
     "186: realloc 0xb6030000 0xb6027400 90\n"
     "350: memalign 0xb6040000 64 100\n"
     "350: free 0x0\n"
     "350: thread_done 0x0\n",
     "0+1024 0-0 1z15 0~1:90 1+100@6 ", NULL},
    {"android",
     "7: malloc 0x10 24 1000000 1000050\n"
     "7: realloc 0x20 0x0 30 1000100 1000101\n"
     "7: free 0x10 1200000 1200001\n"
     "7: free 0x20 1200002 1200003\n",
     "0+24 0+30 T200000 0-0 0-1 T200002 ", NULL},
    {"rep", "20000\n3\n5\n1\na 0 512\na 1 128\nr 0 640\nf 1\nf 0\n",
     "0+512 0+128 0~0:640 0-1 0-0 ", "dialect 3e, header 20000 3 5 1"},
    {"rep", "2\n1\n2\n0\na 0 9\nf 0\n", "0+9 0-0 ",
     "dialect 2004, header 2 1 2 0"},
    {"rep", "1\r\n1\r\n2\r\n9\r\na 0 9\r\nf 0\r\n", "0+9 0-0 ",
     "dialect 2016, header 1 1 2 9"},
    {"rep", "2\n6\na 0 9\nf -1\nr 1 30\nr 1 0\na 1 7\nf 0\n",
     "0+9 0+30 0-1 0+7 0-0 ", "dialect xv6, header 2 6"},
    {"mtrace",
     "= Start\n"
     "@ ./a b - c:[0x11b0] + 0x56491f6732a0 0x18\n"
     "@ ./prog:(main+0x1a)[0x11c5] < 0x56491f6732a0\n"
     "@ ./prog:(main+0x1a)[0x11c5] > 0x56491f6734a0 0xfa0\n"
     "@ ./prog:[0x11d8] + 0x56491f674450 0\n"
     "@ ./prog:[0x1211] - 0x56491f6734a0\n"
     "- 0x56491f674450\n"
     "= End\n",
     "0+24 0~0:4000 0+0 0-0 0-1 ", NULL},
    {"valgrind",
     "==1== Memcheck, a memory error detector\n"
     "--1-- malloc(24) = 0x4A46040\n"
     "--1-- realloc(0x4A46040,4000) = 0x4A460A0\n"
     "--1-- calloc(10,20) = 0x4A47080\n"
     "output of the program\n"
     "--1-- memalign(al 64, size 100) = 0x4A47200\n"
     "--1-- _Znwm(33) = 0x4A50000\n"
     "--1-- _ZdlPvm(0x4A50000, 33)\n"
     "--1-- realloc(0x0,5)malloc(5) = 0x4A50000\n"
     "--1-- realloc(0x4A50000,0)free(0x4A50000)\n"
     "--1--  = 0\n"
     "--1-- malloc_usable_size(0x4A47080) = 200\n"
     "--1-- free(0x0)\n"
     "--1-- free(0x4A460A0)\n",
     "0+24 0~0:4000 0z200 0+100@6 0+33 0-3 0+5 0-4 0-0 ", NULL},
    {"heaptrack",
     "v 10400 3\n"
     "x f /bin/prog\n"
     "t 7fbba41aab9f 0\n"
     "c 1\n"
     "+ 18 8 555e56c131d0\n"
     "+ fa0 9 555e56c132b0\n"
     "c 3\n"
     "- 555e56c131d0\n",
     "0+24 0+4000 T2000000 0-0 ", NULL},
    {"lttng",
     "[23:59:59.999999000] (+0.000000001) vm lttng_ust_libc:malloc: "
     "{ cpu_id = 0 }, { vtid = 9, vpid = 9 }, { size = 24, ptr = 0xA0 }\n"
     "[23:59:59.999999100] (+0.000000100) vm other:event: { cpu_id = 0 }, "
     "{ size = 1 }\n"
     "[00:00:00.000199000] (+0.000200000) vm lttng_ust_libc:calloc: "
     "{ cpu_id = 1 }, { vtid = 10, vpid = 9 }, { nmemb = 3, size = 4, "
     "ptr = 0xB0 }\n"
     "[00:00:00.000199001] (+0.000000001) vm lttng_ust_libc:realloc: "
     "{ cpu_id = 1 }, { vtid = 10, vpid = 9 }, { in_ptr = 0xA0, size = 8, "
     "ptr = 0xC0 }\n"
     "[00:00:00.000199002] (+0.000000001) vm lttng_ust_libc:memalign: "
     "{ cpu_id = 1 }, { vtid = 9, vpid = 9 }, { alignment = 64, size = 5, "
     "ptr = 0xD0 }\n"
     "[00:00:00.000199003] (+0.000000001) vm lttng_ust_libc:posix_memalign: "
     "{ cpu_id = 1 }, { vtid = 9, vpid = 9 }, { out_ptr = 0xE0, "
     "alignment = 4096, size = 6, result = 0 }\n"
     "[00:00:00.000199004] (+0.000000001) vm lttng_ust_libc:free: "
     "{ cpu_id = 1 }, { vtid = 9, vpid = 9 }, { ptr = 0xB0 }\n",
     "0+24 T200000 1z12 1~0:8 0+5@6 0+6@12 0-1 T200004 ", NULL},
    {"lttng",
     "[1795588969.5] (+0.1) vm lttng_ust_libc:malloc: { }, { size = 24, "
     "ptr = 0xA0 }\n"
     "[2026-11-25 06:42:49.25] (+0.1) vm lttng_ust_libc:free: { }, "
     "{ ptr = 0x0 }\n",
     "0+24 ", NULL},
    {"logalloc",
     "18545 18545 malloc(32)=0x7f90495120e0\n"
     "18545 18546 calloc(1,148)=0x7f9049537480\n"
     "18545 18545 realloc(0x7f90495120e0,64)=0x7f9049536680\n"
     "18545 18545 posix_memalign(256,240)=0x7f9049583300\n"
     "18545 18545 jemalloc_stats()\n"
     "18545 18545 free(0x7f9049536680)\n"
     "18545 18545 free((nil))\n",
     "0+32 1z148 0~0:64 0+240@8 0-0 ", NULL},
    {"logalloc", "1 1 malloc(32)=#1\n1 2 realloc(#1,64)=#1\n1 1 free(#1)\n",
     "0+32 1~0:64 0-0 ", NULL},
    {"logalloc",
     "13663 malloc(42)=0x7f0c33502040\n13663 "
     "valloc(24)=0x7f0c33503040\n",
     "0+42 0+24@12 ", NULL},
};

static const struct trace_format *format_named(const char *name)
{
    const struct trace_format *f = format_find(name);

    cr_assert_not_null(f, "%s", name);
    return f;
}

static void expect_ops(const struct golden *g, const void *bytes, size_t n)
{
    struct op_notes notes;

    op_notes_init(&notes);
    struct imported r = import_bytes(NULL, bytes, n, 1, &notes.sink);

    cr_assert_eq(r.err, 0, "%s: %s (errno %d)", g->format, r.why, r.err);
    cr_expect_eq(r.format, format_named(g->format), "%s taken for %s",
                 g->format, r.format ? r.format->name : "nothing");
    cr_expect_str_eq(notes.text, g->ops, "%s: %s\nwant %s\nof %.99s", g->format,
                     notes.text, g->ops, g->text);
    cr_expect_str_eq(r.header, g->header ? g->header : "");
}

Test(import, goldens_are_recognised_and_mean_what_they_say)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        expect_ops(&goldens[i], goldens[i].text, strlen(goldens[i].text));
}

/* ---- goldens of binary formats ---- */

static size_t put(unsigned char *to, size_t at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[at + i] = (unsigned char)(value >> 8 * i);
    return at + bytes;
}

/* operation, thread, log2 of the alignment, slot, size */
static size_t put_webkit(unsigned char *to, size_t at, const uint64_t v[5])
{
    static const size_t bytes[5] = {4, 2, 2, 8, 8};

    for (int i = 0; i < 5; i++)
        at = put(to, at, v[i], bytes[i]);
    return at;
}

Test(import, webkit_ops)
{
    static const uint64_t records[][5] = {
        {0, 0, 0, 5, 100}, {3, 1, 6, 6, 200}, {2, 1, 0, 5, 300},
        {1, 0, 0, 6, 0},   {1, 0, 0, 5, 0},
    };
    static const struct golden golden = {
        "webkit-ops", "", "0+100 1+200@6 1~0:300 0-1 0-0 ", NULL};
    unsigned char bytes[1024];
    size_t n = 0;

    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        n = put_webkit(bytes, n, records[i]);
    expect_ops(&golden, bytes, n);
}

/* thread, type, two pointers, size, alignment */
static size_t put_raw(unsigned char *to, size_t at, size_t size,
                      const uint64_t v[6])
{
    static const size_t bytes[6] = {4, 4, 8, 8, 8, 8};
    size_t end = at + size;

    memset(to + at, 0, size);
    for (int i = 0; i < (size == 64 ? 6 : 5); i++)
        at = put(to, at, v[i], bytes[i]);
    return end;
}

static void expect_raw(size_t size, const uint64_t records[][6], size_t n,
                       const char *ops)
{
    const struct golden golden = {"glibc-raw", "", ops, NULL};
    unsigned char bytes[4096];
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        used = put_raw(bytes, used, size, records[i]);
    expect_ops(&golden, bytes, used);
}

Test(import, glibc_raw_of_32_and_64_bytes)
{
    static const uint64_t short_ones[][6] = {
        {4001, 1, 0, 0x7f0000001000, 24},
        {4002, 2 | 0x300, 0, 0x7f0000002000, 48},
        {4001, 4, 0x7f0000001000, 0x7f0000003000, 90},
        {4001, 5, 64, 0x7f0000004000, 100},
        {4002, 3, 0x7f0000002000, 0, 0},
        {0, 0, 0, 0, 0},
    };
    static const uint64_t long_ones[][6] = {
        {4001, 255, 0x1234, 0, 8, 0},
        {4001, 1, 0, 0x7f0000001000, 24, 0},
        {4002, 8, 0, 0x7f0000002000, 48, 4096},
        {4002, 3, 0x7f0000001000, 0, 0, 0},
    };

    expect_raw(32, short_ones, 6, "0+24 1z48 0~0:90 0+100@6 1-1 ");
    expect_raw(64, long_ones, 4, "0+24 1+48@12 1-0 ");
}

Test(import, glibc_workload_threads_wait_for_each_other)
{
    /* 2 threads; the second frees what the first allocates, after sync 1 */
    static const unsigned char bytes[] = {
        8, 3, 9,    1,    10, 2, 11, 11, 11, 23, 1, /* head */
        2, 1, 0x81, 0x00, 3,  2, 40, 6,  1,  0,  0,
        1, /* malloc 128, calloc 40 */
        7, 1, 5,    1,    4,  3, 2,  50, 12, 1,  64,
        9, 1, /* free, realloc, align */
    };
    static const struct golden golden = {"glibc-wl", "",
                                         "0+128 0z40 1-0 1~1:50 1+9@6 ", NULL};

    expect_ops(&golden, bytes, sizeof bytes);
}

/* 200 threads that begin at the same byte: a small file, without end. */
Test(import, glibc_workload_threads_may_not_overlap)
{
    unsigned char bytes[2048] = {8, 3, 9, 0, 10, 1};
    struct op_notes notes;
    size_t n = 6;

    for (int i = 0; i < 200; i++) {
        bytes[n++] = 11;
        bytes[n++] = 0x80 | (6 + 3 * 200 + 1) >> 7;
        bytes[n++] = (6 + 3 * 200 + 1) & 0x7f;
    }
    bytes[n++] = 1;
    for (int i = 0; i < 4; i++) {
        memcpy(bytes + n, (unsigned char[]){2, 1, 9, 5, 1}, 5);
        n += 5;
    }
    bytes[n++] = 1;
    op_notes_init(&notes);
    struct imported r =
        import_bytes(format_named("glibc-wl"), bytes, n, 0, &notes.sink);
    cr_expect_eq(r.err, EBADMSG);
    cr_expect_not_null(strstr(r.why, "threads overlap"), "%s", r.why);
}

/* ---- wrong lines ---- */

struct bad {
    const char *format, *text, *why;
};

static const struct bad bads[] = {
    {"android", "1: malloc 0x10 5\n1: malloc 0x20\n",
     "in:2: want TID: malloc ADDRESS SIZE"},
    {"android", "1: malloc 0x10 5\n1: frob 0x20\n", "in:2: want TID: malloc, "},
    {"android", "1: malloc 0x10 5\n1: realloc 0x20 0x10 -1\n",
     "in:2: want TID: realloc NEW OLD SIZE"},
    {"android", "1: malloc 0x10 5 7\n", "in:1: want TID: malloc ADDRESS SIZE"},
    {"android", "1: malloc 0x10 99999999999999999999\n", "in:1: want TID: mal"},
    {"android", "1: malloc 0x10 9999999999999999999\n",
     "in:1: want a size below 2^63"},
    {"android", "1: calloc 0x10 9999999999 9999999999\n",
     "in:1: want a size below 2^63"},
    {"android", "1: memalign 0x10 9999999999 1\n",
     "in:1: want an alignment of at most 2^30"},
    {"android", "1: malloc 0x10 5\n1: free 0x", "in:2: ends inside a line"},
    {"android", "1: malloc 0x10 5\n1: free 0x20\n",
     "in:2: free of 0x20 (want an address that was given out)"},
    {"android", "1: malloc 0x10 5\n1: free 0x10\n1: free 0x10\n",
     "in:3: free of 0x10 again (want it only once)"},
    {"android", "1: malloc 0x10 5\n1: malloc 0x10 5\n",
     "in:2: address 0x10 was given out twice (want a free in between)"},
    {"android", "1: malloc 0x10 5\n1: realloc 0x30 0x20 5\n",
     "in:2: realloc of 0x20, which is not live"},
    {"android", "1: malloc 0x0 5\n", "in:1: no memory for 5 bytes"},
    {"android", "1: malloc 0x10 5 10 11\n1: free 0x10 9 11\n",
     "in:2: time 9 ns (want 10 or later)"},
    {"rep", "1\n1\n2\n9\na 0 9\nx 0\n", "in:6: want a ID SIZE, r ID SIZE or"},
    {"rep", "1\n1\n2\n9\na 0 9\nf 0 z\n", "in:6: want a ID SIZE, r ID SIZE or"},
    {"rep", "1\n2\n2\n9\na 0 9\na 1\n", "in:6: no size (want a ID SIZE or"},
    {"rep", "1\n1\n1\n9\na 0 9\nf 0\n",
     "in:6: more operations than the header's 1 (where the driver stops)"},
    {"rep", "1\n1\n3\n9\na 0 9\nf 0\n",
     "in:6: ends after 2 operations (the header says 3)"},
    {"rep", "1\n1\n2\n9\na 1 9\nf 1\n", "in:5: id 1 (the header says 1 ids)"},
    {"rep", "1\n1\n2\n9\na 0 9\na 0 9\n", "in:6: number 0 is allocated again"},
    {"rep", "1\n3\n3\n9\na 0 9\nf 2\n",
     "in:6: free of number 2 (want one that was given out)"},
    {"rep", "1\n3\n3\n9\na 0 9\nf 0\nf 0\n",
     "in:7: free of number 0 again (want it only once)"},
    {"rep", "1\n1\n2\n9\n7\na 0 9\n", "in:5: a fifth number in the header"},
    {"rep", "1\n2\n3\na 0 9\n",
     "in:4: a header of 3 numbers (want 4, one a line"},
    {"rep-xv6", "1\n1\n2\n9\na 0 9\n", "in:5: a header of 4 numbers (want 2"},
    {"mtrace", "= Start\n@ a:[0x1] + 0x10\n", "in:2: want @ CALLER, then + "},
    {"mtrace", "= Start\n@ a:[0x1] > 0x10 0x5\n",
     "in:2: want < OLD and > ADDRESS SIZE one after the other"},
    {"valgrind", "--1-- malloc(5)\n", "in:1: want malloc(SIZE) = ADDRESS"},
    {"valgrind", "--1-- malloc(5) = 0x10\n--1-- free()\n",
     "in:2: want free(ADDRESS)"},
    {"valgrind", "--1-- malloc(5) = 0x10\n--2-- malloc(5) = 0x20\n",
     "in:2: process 2 (want only 1; --process chooses another)"},
    {"heaptrack", "v 10400 3\n+ 5 1\n", "in:2: want + SIZE TRACE ADDRESS"},
    {"heaptrack", "v 10400 3\n+ 5\n", "in:2: interpreted data, which have no"},
    {"heaptrack", "v 10400 3\n- zz\n", "in:2: want - ADDRESS"},
    {"lttng",
     "[1.0] (+0.1) vm lttng_ust_libc:malloc: { cpu_id = 0 }, { size = 5 }\n",
     "in:1: want malloc: size, ptr"},
    {"lttng", "[1.0] (+0.1) vm lttng_ust_libc:malloc: { size = 5, ptr = 0x1",
     "in:1: ends inside a line (want malloc: size, ptr)"},
    {"lttng", "[1.0] (+0.1) vm lttng_ust_libc:frob: { }\n",
     "in:1: want malloc, calloc,"},
    {"logalloc", "1 1 malloc(5)=0x10\n1 1 frob(5)\n",
     "in:2: want a function that gives or takes memory"},
    {"logalloc", "1 1 malloc(5)=0x10\nmalloc(5)\n", "in:2: want PID TID FUNC"},
    {"logalloc", "1 1 malloc(5,6=0x10\n", "in:1: want malloc(SIZE) = ADDRESS"},
};

Test(import, strict_names_the_line_and_what_was_expected)
{
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        const struct bad *b = &bads[i];
        struct op_notes notes;

        op_notes_init(&notes);
        struct imported r = import_bytes(format_named(b->format), b->text,
                                         strlen(b->text), 1, &notes.sink);

        cr_expect_eq(r.err, EBADMSG, "%s: errno %d: %s", b->format, r.err,
                     b->text);
        cr_expect_eq(strncmp(r.why, b->why, strlen(b->why)), 0,
                     "%s: %s\nwant %s", b->format, r.why, b->why);
    }
}

Test(import, wrong_bytes_are_named_by_their_offset)
{
    unsigned char bytes[256];
    struct op_notes notes;
    size_t n = put_webkit(bytes, 0, (uint64_t[5]){0, 0, 0, 1, 9});

    n = put_webkit(bytes, n, (uint64_t[5]){7, 0, 0, 1, 9});
    op_notes_init(&notes);
    struct imported r =
        import_bytes(format_named("webkit-ops"), bytes, n, 1, &notes.sink);
    cr_expect_eq(r.err, EBADMSG);
    cr_expect_str_eq(r.why, "in: byte 24: want an operation of 0..3 at byte 0 "
                            "of the record");
}

/* The last byte of a whole input is missing: strict says where; else it is
 * counted once, and what came before is taken. */
static void expect_cut(const char *format, const unsigned char *bytes, size_t n,
                       uint64_t place)
{
    struct op_notes notes;

    op_notes_init(&notes);
    struct imported whole =
        import_bytes(format_named(format), bytes, n, 1, &notes.sink);
    op_notes_init(&notes);
    struct imported strict =
        import_bytes(format_named(format), bytes, n - 1, 1, &notes.sink);
    op_notes_init(&notes);
    struct imported r =
        import_bytes(format_named(format), bytes, n - 1, 0, &notes.sink);
    char where[64];

    snprintf(where, sizeof where, "in: byte %" PRIu64 ": ", place);
    cr_expect_eq(whole.err, 0, "%s: %s", format, whole.why);
    cr_expect_eq(strict.err, EBADMSG, "%s", format);
    cr_expect_eq(strncmp(strict.why, where, strlen(where)), 0, "%s: %s", format,
                 strict.why);
    cr_expect_eq(r.err, 0, "%s: %s", format, r.why);
    cr_expect_eq(r.faults[IMPORT_CUT_TAIL].count, 1, "%s", format);
    cr_expect_eq(r.faults[IMPORT_CUT_TAIL].first_place, place, "%s", format);
    cr_expect_geq(r.operations, 1, "%s", format);
}

Test(import, bytes_that_are_cut_short)
{
    static const unsigned char workload[] = {
        8, 2, 9, 1, 10, 1, 11, 9, 1, /* head: the thread is at byte 9 */
        2, 1, 9, 5, 1,  1,           /* malloc 9, free, end */
    };
    unsigned char bytes[256];
    size_t n = put_webkit(bytes, 0, (uint64_t[5]){0, 0, 0, 1, 9});

    n = put_webkit(bytes, n, (uint64_t[5]){1, 0, 0, 1, 0});
    expect_cut("webkit-ops", bytes, n, 24);
    n = put_raw(bytes, 0, 32, (uint64_t[6]){4001, 1, 0, 0x7f0000001000, 24, 0});
    n = put_raw(bytes, n, 32, (uint64_t[6]){4001, 3, 0x7f0000001000, 0, 0, 0});
    expect_cut("glibc-raw", bytes, n, 32);
    expect_cut("glibc-wl", workload, sizeof workload, 14);
}

/* ---- what does not fit ---- */

struct mend {
    const char *format, *text, *ops;
    enum import_fault fault;
    uint64_t count, first_place;
};

static const struct mend mends[] = {
    {"android", "1: malloc 0x10 5\n1: free 0x20\n1: free 0x30\n", "0+5 ",
     IMPORT_FREE_UNKNOWN, 2, 2},
    {"android", "1: malloc 0x10 5\n1: free 0x10\n1: free 0x10\n", "0+5 0-0 ",
     IMPORT_FREE_TWICE, 1, 3},
    {"android", "1: malloc 0x10 5\n2: malloc 0x10 6\n1: free 0x10\n",
     "0+5 1-0 1+6 0-1 ", IMPORT_BIRTH_TWICE, 1, 2},
    {"android", "1: malloc 0x10 5\n1: malloc 0x20 6\n1: realloc 0x20 0x10 7\n",
     "0+5 0+6 0-1 0~0:7 ", IMPORT_BIRTH_TWICE, 1, 3},
    {"android", "1: malloc 0x10 5\n1: realloc 0x30 0x20 6\n1: free 0x30\n",
     "0+5 0+6 0-1 ", IMPORT_RESIZE_UNKNOWN, 1, 2},
    {"android", "1: malloc 0x10 5\n1: realloc 0x0 0x10 6\n1: free 0x10\n",
     "0+5 0-0 ", IMPORT_CALL_FAILED, 1, 2},
    {"android", "1: malloc 0x10 5\nwhat\n1: free 0x10\n", "0+5 0-0 ",
     IMPORT_BAD_LINE, 1, 2},
    {"android", "1: malloc 0x10 5\n1: mall", "0+5 ", IMPORT_CUT_TAIL, 1, 2},
    {"android",
     "1: malloc 0x10 5 300000 1\n1: malloc 0x20 5 200000 1\n"
     "1: free 0x10 500000 1\n",
     "0+5 0+5 T200000 0-0 ", IMPORT_CLOCK_BACK, 1, 2},
    {"rep", "1\n2\n3\n9\na 0 9\na 1\nf 0\n", "0+9 0+9 0-0 ",
     IMPORT_SIZE_MISSING, 1, 6},
    {"rep", "1\n1\n1\n9\na 0 9\nf 0\nf 0\n", "0+9 ", IMPORT_BEYOND_HEADER, 1,
     6},
    {"rep", "1\n1\n9\n9\na 0 9\nf 0\n", "0+9 0-0 ", IMPORT_CUT_TAIL, 1, 6},
    {"rep", "1\n1\n3\n9\na 0 9\na 0 8\nf 0\n", "0+9 0+8 0-1 ",
     IMPORT_BIRTH_TWICE, 1, 6},
    {"logalloc", "1 1 malloc(5)=0x10\n2 1 free(0x10)\n1 1 free(0x10)\n",
     "0+5 0-0 ", IMPORT_OTHER_PROCESS, 1, 2},
    {"mtrace", "= Start\n@ a < 0x10\n@ a < 0x10\n@ a > 0x20 0x5\n", "0+5 ",
     IMPORT_BAD_LINE, 1, 3},
};

Test(import, what_does_not_fit_is_mended_and_counted)
{
    for (size_t i = 0; i < sizeof mends / sizeof *mends; i++) {
        const struct mend *m = &mends[i];
        struct op_notes notes;

        op_notes_init(&notes);
        struct imported r = import_bytes(format_named(m->format), m->text,
                                         strlen(m->text), 0, &notes.sink);

        cr_expect_eq(r.err, 0, "%s: %s", m->text, r.why);
        cr_expect_str_eq(notes.text, m->ops, "%s: %s, want %s", m->text,
                         notes.text, m->ops);
        cr_expect_eq(r.faults[m->fault].count, m->count, "%s: %" PRIu64,
                     m->text, r.faults[m->fault].count);
        cr_expect_eq(r.faults[m->fault].first_place, m->first_place, "%s",
                     m->text);
    }
}

Test(import, nothing_understood_is_an_error)
{
    static const char text[] = "neither\nfish\nnor fowl\n";
    struct op_notes notes;

    op_notes_init(&notes);
    struct imported r = import_bytes(format_named("android"), text,
                                     strlen(text), 0, &notes.sink);
    cr_expect_eq(r.err, EBADMSG);
    cr_expect_eq(strncmp(r.why, "in:1: want TID: malloc", 22), 0, "%s", r.why);
    r = import_bytes(format_named("android"), "", 0, 0, &notes.sink);
    cr_expect_str_eq(r.why, "in: holds no calls");
    r = import_bytes(NULL, text, strlen(text), 0, &notes.sink);
    cr_expect_null(r.format);
}

/* 1025 threads share 1024 numbers. */
Test(import, more_threads_than_numbers)
{
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    struct ledger ledger;

    for (int i = 0; i <= OP_MAX_THREADS; i++)
        fprintf(out, "%d: malloc %#x 8\n", 7000 + i, 0x1000 + 16 * i);
    fclose(out);
    cr_assert_eq(ledger_init(&ledger), 0);
    struct imported r =
        import_bytes(format_named("android"), text, n, 0, &ledger.sink);
    cr_expect_eq(r.err, 0, "%s", r.why);
    cr_expect_eq(ledger.threads, OP_MAX_THREADS);
    cr_expect_eq(r.faults[IMPORT_MANY_THREADS].count, 1);
    ledger_free(&ledger);
    free(text);
}

/* Blocks at ever new addresses: the map forgets the dead, not the living. */
Test(import, many_dead_addresses_are_forgotten)
{
    enum { TURNS = 1500000 };
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    struct ledger ledger;

    fprintf(out, "1: malloc 0x10 8\n");
    for (int i = 2; i < TURNS; i++)
        fprintf(out, "1: malloc %#x 8\n1: free %#x\n", 16 * i, 16 * i);
    fprintf(out, "1: free 0x10\n");
    fclose(out);
    cr_assert_eq(ledger_init(&ledger), 0);
    struct imported r =
        import_bytes(format_named("android"), text, n, 1, &ledger.sink);
    cr_expect_eq(r.err, 0, "%s", r.why);
    cr_expect_eq(ledger_blocks(&ledger), 0);
    ledger_free(&ledger);
    free(text);
}

/* ---- packing ---- */

static const char lines[] =
    "1: malloc 0x10 5\n1: malloc 0x20 6\n1: free 0x10\n";

static size_t pack_gzip(unsigned char *to, size_t size, int window)
{
    z_stream z = {.next_in = (unsigned char *)lines,
                  .avail_in = sizeof lines - 1,
                  .next_out = to,
                  .avail_out = (uInt)size};

    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY),
                 Z_OK);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return size - z.avail_out;
}

static size_t pack_zip(unsigned char *to, size_t size)
{
    size_t n = 30 + 4;

    memset(to, 0, n);
    memcpy(to, "PK\3\4", 4);
    to[8] = 8; /* deflated */
    to[26] = 4;
    memcpy(to + 30, "name", 4);
    n += pack_gzip(to + n, size - n, -15);
    memcpy(to + n, "PK\1\2", 4); /* and what else a directory holds */
    return n + 4;
}

static struct imported unpack(const unsigned char *bytes, size_t n,
                              const char *ops)
{
    struct op_notes notes;

    op_notes_init(&notes);
    struct imported r = import_bytes(NULL, bytes, n, 0, &notes.sink);

    cr_expect_str_eq(notes.text, ops, "%s", r.why);
    return r;
}

Test(import, packed_inputs)
{
    unsigned char bytes[1024];
    size_t n = pack_gzip(bytes, sizeof bytes, 15 + 16);

    cr_expect_eq(unpack(bytes, n, "0+5 0+6 0-0 ").err, 0);
    n += pack_gzip(bytes + n, sizeof bytes - n, 15 + 16); /* two in a row */
    cr_expect_eq(unpack(bytes, n, "0+5 0+6 0-0 0+5 0-1 0+6 0-2 ").err, 0);
    n = ZSTD_compress(bytes, sizeof bytes, lines, sizeof lines - 1, 3);
    cr_expect_eq(unpack(bytes, n, "0+5 0+6 0-0 ").err, 0);
    n = pack_zip(bytes, sizeof bytes);
    cr_expect_eq(unpack(bytes, n, "0+5 0+6 0-0 ").err, 0);
}

Test(import, packed_inputs_that_are_damaged)
{
    unsigned char bytes[1024];
    size_t n = pack_gzip(bytes, sizeof bytes, 15 + 16);
    struct op_notes notes;

    op_notes_init(&notes);
    /* without its checksum: all lines, and one fault */
    struct imported r = unpack(bytes, n - 4, "0+5 0+6 0-0 ");
    cr_expect_eq(r.err, 0);
    cr_expect_eq(r.faults[IMPORT_CUT_TAIL].count, 1);
    bytes[n - 5] ^= 1;
    r = import_bytes(NULL, bytes, n, 0, &notes.sink);
    cr_expect_eq(r.err, EBADMSG);
    cr_expect_not_null(strstr(r.why, "is damaged"), "%s", r.why);
    /* a zip of two files */
    n = pack_zip(bytes, sizeof bytes) - 4;
    memcpy(bytes + n, "PK\3\4", 4);
    r = import_bytes(NULL, bytes, n + 4, 0, &notes.sink);
    cr_expect_eq(r.err, EBADMSG);
    cr_expect_not_null(strstr(r.why, "more than one file"), "%s", r.why);
}

/* ---- round trips ---- */

struct trip {
    struct scratch dir;
    char path[300];
    struct archive *archive;
};

static void trip_open(struct trip *t, const struct trace_source *source)
{
    struct archive_writer *w;
    char why[512];

    scratch_open(&t->dir);
    scratch_path(&t->dir, "a.hyt", t->path, sizeof t->path);
    cr_assert_eq(archive_create(t->path, "", 1, &w), 0);
    cr_assert_eq(source->play(source, archive_sink(w)), 0);
    cr_assert_eq(archive_commit(w), 0);
    cr_assert_eq(archive_open(t->path, &t->archive, why, sizeof why), 0);
}

static void trip_close(struct trip *t)
{
    archive_close(t->archive);
    scratch_close(&t->dir);
}

static int is_kept(const struct op *op)
{
    return op->kind == OP_ALLOC || op->kind == OP_ZALLOC ||
           op->kind == OP_RESIZE || op->kind == OP_FREE;
}

/* What is left of the operations: threads by first appearance, or all one. */
static void reduce(struct ops_list *l, int is_rep)
{
    unsigned number[OP_MAX_THREADS], threads = 0;
    size_t n = 0;

    memset(number, 0xff, sizeof number);
    for (size_t i = 0; i < l->n; i++) {
        struct op op = l->ops[i];

        if (!is_kept(&op))
            continue;
        if (number[op.thread] > OP_MAX_THREADS)
            number[op.thread] = threads++;
        op.thread = is_rep ? 0 : (uint16_t)number[op.thread];
        if (is_rep && op.kind == OP_ZALLOC)
            op.kind = OP_ALLOC;
        if (is_rep && op.kind == OP_ALLOC && op.size == 0)
            op.size = 1;
        if (is_rep)
            op.align_log2 = 0;
        l->ops[n++] = op;
    }
    l->n = n;
}

static void expect_same(const struct ops_list *a, const struct ops_list *b,
                        const char *format, uint64_t seed)
{
    cr_assert_eq(a->n, b->n, "%s, seed %" PRIu64 ": %zu operations, want %zu",
                 format, seed, b->n, a->n);
    for (size_t i = 0; i < a->n; i++)
        cr_assert(ops_same(&a->ops[i], &b->ops[i]),
                  "%s, seed %" PRIu64 ": operation %zu", format, seed, i);
}

static void round_trip(const char *name, uint64_t seed)
{
    const struct trace_format *format = format_named(name);
    struct ops_random random =
        ops_random((struct ops_random){.seed = seed,
                                       .threads = 1 + (unsigned)(seed % 9),
                                       .ops = 2000,
                                       .live = 1 + (unsigned)(seed * 7 % 300),
                                       .max_size = 5000,
                                       .max_align_log2 = 12,
                                       .wide = seed % 3 == 0});
    struct export_losses losses = {0};
    struct ops_list want, got;
    struct trip trip;
    char *text;
    size_t n;

    trip_open(&trip, &random.source);
    cr_assert_eq(ops_list_fill(&want, archive_source(trip.archive)), 0);
    FILE *out = open_memstream(&text, &n);
    cr_assert_eq(format->write(trip.archive, out, &losses), 0);
    fclose(out);
    ops_list_init(&got);
    struct imported r = import_bytes(NULL, text, n, 1, &got.sink);
    cr_assert_eq(r.err, 0, "%s, seed %" PRIu64 ": %s", name, seed, r.why);
    reduce(&want, strncmp(name, "rep", 3) == 0);
    reduce(&got, 0);
    expect_same(&want, &got, name, seed);
    ops_list_free(&want);
    ops_list_free(&got);
    free(text);
    trip_close(&trip);
}

Test(import, what_is_written_is_read_as_the_same_operations)
{
    for (uint64_t seed = 1; seed <= 24; seed++) {
        round_trip("android", seed);
        round_trip("rep", seed);
    }
    round_trip("rep-3e", 77);
    round_trip("rep-2004", 78);
    round_trip("rep-xv6", 79);
}

Test(import, what_is_lost_in_writing_is_counted)
{
    static const struct op ops[] = {
        {.kind = OP_SPAWN, .object = 1},
        {.kind = OP_ALLOC, .thread = 1, .align_log2 = 5, .size = 10},
        {.kind = OP_ZALLOC, .object = 1},
        {.kind = OP_TOUCH, .object = 0, .size = 4},
        {.kind = OP_MARK, .name = "phase"},
        {.kind = OP_TIME, .size = 5},
    };
    struct ops_array source = ops_array(ops, sizeof ops / sizeof *ops);
    struct export_losses losses = {0};
    struct trip trip;
    char *text;
    size_t n;

    trip_open(&trip, &source.source);
    FILE *out = open_memstream(&text, &n);
    cr_assert_eq(format_named("rep")->write(trip.archive, out, &losses), 0);
    fclose(out);
    cr_expect_str_eq(text, "1\n2\n2\n10\na 0 10\na 1 1\n");
    cr_expect(losses.edges == 1 && losses.aligned == 1 && losses.zeroed == 1 &&
              losses.empty == 1 && losses.touches == 1 && losses.marks == 1 &&
              losses.times == 1 && losses.threads == 2);
    free(text);
    trip_close(&trip);
}

/* Lines lost, doubled, swapped or cut: still a well-formed stream, and what
 * was done is counted. */
static void garble(char *text, size_t *n, struct random *random)
{
    for (int i = 0; i < 20; i++) {
        size_t at = random_below(random, *n - 1), to = random_below(random, *n);

        switch (random_below(random, 3)) {
        case 0:
            text[at] = text[to];
            break;
        case 1:
            text[at] = (char)random_below(random, 256);
            break;
        default:
            memmove(text + at, text + at + 1, *n - at - 1);
            --*n;
        }
    }
}

Test(import, garbled_text_gives_well_formed_streams)
{
    struct ops_random random = ops_random((struct ops_random){
        .seed = 5, .threads = 3, .ops = 300, .live = 40, .max_size = 100});
    struct export_losses losses = {0};
    struct random dice;
    struct trip trip;

    random_seed(&dice, 99);
    trip_open(&trip, &random.source);
    for (int i = 0; i < 200; i++) {
        const char *name = i % 2 ? "android" : "rep";
        struct ledger ledger;
        char *text;
        size_t n;
        FILE *out = open_memstream(&text, &n);

        format_named(name)->write(trip.archive, out, &losses);
        fclose(out);
        garble(text, &n, &dice);
        cr_assert_eq(ledger_init(&ledger), 0);
        struct imported r =
            import_bytes(format_named(name), text, n, 0, &ledger.sink);
        cr_expect_eq(r.sink_err, 0, "%s: %s: %s", name, r.why, ledger.why);
        cr_expect(r.err == 0 || r.err == EBADMSG);
        ledger_free(&ledger);
        free(text);
    }
    trip_close(&trip);
}
