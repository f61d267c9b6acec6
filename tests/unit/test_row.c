/* test_row.c - CSV records and rows of samples.csv: what is written is read
 * back, and what is wrong is named with its place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "csv.h"
#include "row.h"

enum { WHY = 512 };

/* A temporary file with this text; the caller unlinks it. */
static void make_file(char path[32], const void *text, size_t size)
{
    strcpy(path, "/tmp/heapyard-row-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, size), (ssize_t)size);
    close(fd);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64: Marsaglia, JSS 8(14), 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- CSV ---- */

/* Any bytes but 0, and often those that need quotes. */
static void random_text(uint64_t *seed, char text[], size_t room)
{
    static const char special[] = ",\"\r\n ;\t'";
    size_t n = next_random(seed) % room;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(seed);
        text[i] = r % 2 ? special[(r >> 8) % (sizeof special - 1)]
                        : (char)(1 + (r >> 8) % 255);
    }
    text[n] = '\0';
}

Test(row, csv_reads_back_any_text_it_wrote)
{
    enum { RECORDS = 500, FIELDS = 5, ROOM = 40 };
    static char text[RECORDS][FIELDS][ROOM];
    char path[32];
    uint64_t seed = 88172645463325252;
    make_file(path, "", 0);
    FILE *f = fopen(path, "w");
    for (int r = 0; r < RECORDS; r++) {
        const char *field[FIELDS];
        for (int i = 0; i < FIELDS; i++) {
            random_text(&seed, text[r][i], ROOM);
            field[i] = text[r][i];
        }
        /* a byte-order mark at the start is the one thing that is lost */
        if (r == 0)
            strcpy(text[0][0], "first");
        cr_assert_eq(csv_write(f, field, (size_t)(1 + r % FIELDS)), 0);
    }
    fclose(f);
    struct csv_reader *reader;
    struct csv_record record;
    cr_assert_eq(csv_open(path, &reader), 0);
    for (int r = 0; r < RECORDS; r++) {
        cr_assert_eq(csv_next(reader, &record), 0, "record %d: %s", r,
                     csv_why(reader));
        cr_assert_eq(record.n, (size_t)(1 + r % FIELDS));
        for (size_t i = 0; i < record.n; i++)
            cr_assert_str_eq(record.field[i], text[r][i]);
    }
    cr_assert_eq(csv_next(reader, &record), ENOENT);
    csv_close(reader);
    unlink(path);
}

Test(row, csv_names_what_is_malformed_and_goes_on)
{
    static const struct {
        const char *text;
        size_t size;
        const char *why;
    } bad[] = {
        {"a\"b,c\n", 6, "quote inside a field"},
        {"\"a\"b,c\n", 7, "after a closing quote"},
        {"a\rb\n", 4, "carriage return"},
        {"a\0b\n", 4, "zero byte"},
        {"\"a\0b\"\n", 6, "zero byte"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[32], text[64] = "x,y\n";
        memcpy(text + 4, bad[i].text, bad[i].size);
        memcpy(text + 4 + bad[i].size, "p,q\n", 4);
        make_file(path, text, 8 + bad[i].size);
        struct csv_reader *reader;
        struct csv_record record;
        cr_assert_eq(csv_open(path, &reader), 0);
        cr_assert_eq(csv_next(reader, &record), 0);
        cr_assert_eq(csv_next(reader, &record), EBADMSG);
        cr_assert_eq(record.line, 2u);
        cr_assert_not_null(strstr(csv_why(reader), bad[i].why), "case %zu: %s",
                           i, csv_why(reader));
        cr_assert_eq(csv_next(reader, &record), 0);
        cr_assert_str_eq(record.field[1], "q");
        csv_close(reader);
        unlink(path);
    }
}

Test(row, csv_takes_crlf_a_byte_order_mark_and_empty_lines)
{
    static const char text[] = "\xef\xbb\xbf"
                               "a,b\r\n\r\n\n\"c\r\nd\",\r\ne,f";
    char path[32];
    struct csv_reader *reader;
    struct csv_record record;
    make_file(path, text, sizeof text - 1);
    cr_assert_eq(csv_open(path, &reader), 0);
    cr_assert_eq(csv_next(reader, &record), 0);
    cr_assert_str_eq(record.field[0], "a");
    cr_assert_str_eq(record.field[1], "b");
    cr_assert_eq(csv_next(reader, &record), 0);
    cr_assert_str_eq(record.field[0], "c\r\nd");
    cr_assert_str_eq(record.field[1], "");
    cr_assert_eq(csv_next(reader, &record), 0, "no newline at the end");
    cr_assert_str_eq(record.field[1], "f");
    cr_assert_eq(csv_next(reader, &record), ENOENT);
    csv_close(reader);
    unlink(path);
}

Test(row, csv_bounds_fields_and_bytes_of_a_record)
{
    static char text[2 * CSV_RECORD_MAX];
    char path[32];
    struct csv_reader *reader;
    struct csv_record record;
    memset(text, ',', CSV_FIELDS_MAX); /* that is one field more */
    text[CSV_FIELDS_MAX] = '\n';
    memset(text + CSV_FIELDS_MAX + 1, 'x', CSV_RECORD_MAX);
    memcpy(text + CSV_FIELDS_MAX + 1 + CSV_RECORD_MAX, "\nend\n", 5);
    make_file(path, text, CSV_FIELDS_MAX + 6 + CSV_RECORD_MAX);
    cr_assert_eq(csv_open(path, &reader), 0);
    cr_assert_eq(csv_next(reader, &record), EBADMSG);
    cr_assert_eq(csv_next(reader, &record), EBADMSG);
    cr_assert_eq(csv_next(reader, &record), 0);
    cr_assert_str_eq(record.field[0], "end");
    csv_close(reader);
    unlink(path);
}

Test(row, reals_are_written_so_that_they_read_back_the_same)
{
    uint64_t seed = 42;
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random(&seed);
        double v;
        char text[40];
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        real_format(v, text, sizeof text);
        cr_assert_eq(strtod(text, NULL), v, "%s", text);
    }
    char text[40];
    real_format(0.1, text, sizeof text);
    cr_assert_str_eq(text, "0.1");
}

/* ---- rows ---- */

static const struct row sample = {
    .key = {.session = "s1",
            .run = 7,
            .block = 2,
            .workload = "server-sim:profile=B",
            .threads = 4,
            .scale = 0.5,
            .seed = UINT64_MAX,
            .allocator = "jemalloc",
            .served_by = "libjemalloc.so.2, \"5.3\"",
            .meter = "time",
            .touch = "page",
            .window = 4096},
    .status = STATUS_OK,
    .metric = "wall_per_op",
    .at = "mark:peak",
    .unit = "ns",
    .value = 12.75,
    .note = "a, b"};

static void write_rows(char path[32], const struct row *row, size_t n)
{
    make_file(path, "", 0);
    FILE *f = fopen(path, "w");
    cr_assert_eq(row_write_header(f), 0);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(row_write(f, &row[i]), 0);
    cr_assert_eq(fclose(f), 0);
}

static void assert_same_row(const struct row *a, const struct row *b)
{
    cr_assert_str_eq(a->key.session, b->key.session);
    cr_assert_eq(a->key.run, b->key.run);
    cr_assert_eq(a->key.block, b->key.block);
    cr_assert_str_eq(a->key.workload, b->key.workload);
    cr_assert_eq(a->key.threads, b->key.threads);
    cr_assert_eq(a->key.scale, b->key.scale);
    cr_assert_eq(a->key.seed, b->key.seed);
    cr_assert_str_eq(a->key.allocator, b->key.allocator);
    cr_assert_str_eq(a->key.served_by, b->key.served_by);
    cr_assert_str_eq(a->key.meter, b->key.meter);
    cr_assert_str_eq(a->key.touch, b->key.touch);
    cr_assert_eq(a->key.window, b->key.window);
    cr_assert_eq(a->status, b->status);
    cr_assert_str_eq(a->metric, b->metric);
    cr_assert_str_eq(a->at, b->at);
    cr_assert_str_eq(a->unit, b->unit);
    cr_assert((isnan(a->value) && isnan(b->value)) || a->value == b->value);
    cr_assert_str_eq(a->note, b->note);
}

Test(row, every_member_comes_back)
{
    struct row rows[2] = {sample, sample}, got;
    char path[32], why[WHY];
    struct row_reader *reader;
    rows[1].status = STATUS_TIMEOUT;
    rows[1].value = NAN;
    rows[1].metric[0] = '\0';
    write_rows(path, rows, 2);
    cr_assert_eq(row_reader_open(path, &reader, why, WHY), 0, "%s", why);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(row_reader_next(reader, &got, why, WHY), 0, "%s", why);
        assert_same_row(&rows[i], &got);
    }
    cr_assert_eq(row_reader_next(reader, &got, why, WHY), ENOENT);
    row_reader_close(reader);
    unlink(path);
}

Test(row, control_bytes_of_a_note_become_spaces)
{
    struct row row = sample, got;
    char path[32], why[WHY];
    struct row_reader *reader;
    strcpy(row.note, "two\nlines \033[31m");
    write_rows(path, &row, 1);
    cr_assert_eq(row_reader_open(path, &reader, why, WHY), 0, "%s", why);
    cr_assert_eq(row_reader_next(reader, &got, why, WHY), 0, "%s", why);
    cr_assert_str_eq(got.note, "two lines  [31m");
    row_reader_close(reader);
    unlink(path);
}

Test(row, refuses_to_write_what_it_would_refuse_to_read)
{
    struct row row = sample;
    row.value = NAN;
    cr_assert_eq(row_write(stderr, &row), EINVAL, "ok without a value");
    row = sample;
    row.metric[0] = '\0';
    cr_assert_eq(row_write(stderr, &row), EINVAL, "ok without a metric");
    row = sample;
    row.status = STATUS_CRASH;
    cr_assert_eq(row_write(stderr, &row), EINVAL, "a value though it crashed");
    row = sample;
    row.key.threads = 0;
    cr_assert_eq(row_write(stderr, &row), EINVAL, "no thread");
    row = sample;
    row.key.scale = NAN;
    cr_assert_eq(row_write(stderr, &row), EINVAL, "no scale");
}

static const char header[] =
    "note,value,unit,at,metric,status,window,touch,meter,served_by,allocator,"
    "seed,scale,threads,workload,block,run,session,colour\n";
#define GOOD ",1.5,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n"

Test(row, columns_stand_in_any_order_and_unknown_ones_are_ignored)
{
    char path[32], why[WHY], text[1024];
    struct row got;
    struct row_reader *reader;
    snprintf(text, sizeof text, "%s%s", header, GOOD);
    make_file(path, text, strlen(text));
    cr_assert_eq(row_reader_open(path, &reader, why, WHY), 0, "%s", why);
    cr_assert_eq(row_reader_next(reader, &got, why, WHY), 0, "%s", why);
    cr_assert_eq(got.value, 1.5);
    cr_assert_str_eq(got.key.allocator, "system");
    row_reader_close(reader);
    unlink(path);
}

Test(row, a_bad_value_is_named_with_its_line_and_the_next_row_is_read)
{
    static const struct {
        const char *line, *why;
    } bad[] = {
        {",1.5,ns,,wall,ok,0,page,time,,system,1,1,0,w,1,1,s,red\n",
         ":2: threads = '0' (want a whole number of 1 or more)"},
        {",1.5,ns,,wall,ok,0,page,time,,system,-1,1,1,w,1,1,s,red\n",
         ":2: seed = '-1' (want"},
        {",1.5,ns,,wall,ok,4294967296,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: window = '4294967296' (want"},
        {",1.5,ns,,wall,ok,0,page,time,,system,18446744073709551616,1,1,w,1,1,"
         "s,red\n",
         ":2: seed = '18446744073709551616' (want"},
        {",nan,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: value = 'nan' (want a decimal number or nothing)"},
        {",0x1p3,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: value = '0x1p3' (want"},
        {",1e999,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: value = '1e999' (want"},
        {",1.5,ns,,wall,OK,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: status = 'OK' (want ok, skip,"},
        {",1.5,ns,,wall,ok,0,page,time,,system,1,0,1,w,1,1,s,red\n",
         ":2: scale = '0' (want a number above 0)"},
        {",1.5,ns,,wall,ok,0,pagepage,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: touch = 'pagepage' (want at most 7 bytes"},
        {"\"a\nb\",1.5,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: note = 'a?b' (want"},
        {",,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: value is empty"},
        {",1.5,ns,,,ok,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: metric is empty"},
        {",1.5,ns,,wall,crash,0,page,time,,system,1,1,1,w,1,1,s,red\n",
         ":2: value in a row whose status is not ok"},
        {",1.5,ns,,wall,ok,0,page,time,,system,1,1,1,w,1,1,s\n",
         ":2: 18 fields (want 19"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[32], why[WHY] = "", text[1024];
        struct row got;
        struct row_reader *reader;
        snprintf(text, sizeof text, "%s%s%s", header, bad[i].line, GOOD);
        make_file(path, text, strlen(text));
        cr_assert_eq(row_reader_open(path, &reader, why, WHY), 0, "%s", why);
        cr_assert_eq(row_reader_next(reader, &got, why, WHY), EBADMSG);
        cr_assert_not_null(strstr(why, bad[i].why), "case %zu: %s", i, why);
        cr_assert_eq(strncmp(why, path, strlen(path)), 0, "%s", why);
        cr_assert_eq(row_reader_next(reader, &got, why, WHY), 0, "%s", why);
        row_reader_close(reader);
        unlink(path);
    }
}

Test(row, a_bad_header_is_refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", ":1: empty file"},
        {"session,run\n", ":1: no column 'block' in the header"},
        {"a\"\n", ":1: quote inside"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[32], why[WHY] = "";
        struct row_reader *reader;
        make_file(path, bad[i].text, strlen(bad[i].text));
        cr_assert_eq(row_reader_open(path, &reader, why, WHY), EBADMSG);
        cr_assert_not_null(strstr(why, bad[i].why), "case %zu: %s", i, why);
        unlink(path);
    }
    char path[32], why[WHY] = "", text[1024];
    struct row_reader *reader;
    snprintf(text, sizeof text, "run,%s", header);
    make_file(path, text, strlen(text));
    cr_assert_eq(row_reader_open(path, &reader, why, WHY), EBADMSG);
    cr_assert_not_null(strstr(why, "more than one column 'run'"), "%s", why);
    unlink(path);
}

Test(row, a_missing_file_is_its_errno)
{
    struct row_reader *reader;
    char why[WHY] = "";
    cr_assert_eq(row_reader_open("/nonexistent/x.csv", &reader, why, WHY),
                 ENOENT);
    cr_assert_not_null(strstr(why, "/nonexistent/x.csv"));
}

Test(row, each_status_is_read_back_by_its_name)
{
    for (int s = 0; s < STATUS_KINDS; s++) {
        enum status got;
        cr_assert_eq(status_parse(status_name((enum status)s), &got), 0);
        cr_assert_eq((int)got, s);
    }
    enum status got;
    cr_assert_eq(status_parse("fine", &got), EINVAL);
    cr_assert_eq(status_parse("", &got), EINVAL);
}
