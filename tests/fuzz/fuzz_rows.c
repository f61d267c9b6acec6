/* fuzz_rows.c - the readers of samples.csv and summary.csv, on any bytes.
 *
 * Property: a row that was read can be written, and reads back the same; the
 * readers end, and nothing is read or written out of bounds.
 *
 * The input reaches the readers through a memory file, as they take paths.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create */

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "row.h"
#include "summary.h"

enum { WHY = 512 };

/* A path by which these bytes can be opened; the caller closes *fd. */
static void make_file(const void *data, size_t size, int *fd, char path[64])
{
    *fd = memfd_create("fuzz", 0);
    if (*fd < 0 || write(*fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", *fd);
}

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void require_same(const struct row *a, const struct row *b)
{
    require(!strcmp(a->key.session, b->key.session));
    require(a->key.run == b->key.run && a->key.block == b->key.block);
    require(!strcmp(a->key.workload, b->key.workload));
    require(a->key.threads == b->key.threads && a->key.scale == b->key.scale);
    require(a->key.seed == b->key.seed && a->key.window == b->key.window);
    require(!strcmp(a->key.allocator, b->key.allocator));
    require(!strcmp(a->key.served_by, b->key.served_by));
    require(!strcmp(a->key.meter, b->key.meter));
    require(!strcmp(a->key.touch, b->key.touch));
    require(a->status == b->status && !strcmp(a->metric, b->metric));
    require(!strcmp(a->at, b->at) && !strcmp(a->unit, b->unit));
    require(isnan(a->value) ? isnan(b->value) : a->value == b->value);
    require(!strcmp(a->note, b->note));
}

static void write_and_read(const struct row *row)
{
    char *text = NULL, path[64], why[WHY];
    size_t size = 0;
    int fd;
    struct row_reader *reader;
    struct row got;
    FILE *f = open_memstream(&text, &size);
    require(f && !row_write_header(f) && !row_write(f, row) && !fclose(f));
    make_file(text, size, &fd, path);
    require(!row_reader_open(path, &reader, why, WHY));
    require(!row_reader_next(reader, &got, why, WHY));
    require_same(row, &got);
    row_reader_close(reader);
    close(fd);
    free(text);
}

static void read_rows(const char *path)
{
    struct row_reader *reader;
    struct row row;
    char why[WHY];
    int err, rows = 0;
    if (row_reader_open(path, &reader, why, WHY))
        return;
    while ((err = row_reader_next(reader, &row, why, WHY)) != ENOENT)
        if (!err && rows++ < 4)
            write_and_read(&row);
    row_reader_close(reader);
}

static void reduce(const char *path)
{
    struct summary s;
    char why[WHY];
    if (!summary_from_samples(path, "system", &s, why, WHY)) {
        FILE *f = fopen("/dev/null", "w");
        require(f && !summary_write(&s, f));
        fclose(f);
        summary_free(&s);
    }
    if (!summary_read(path, &s, why, WHY))
        summary_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd;
    make_file(data, size, &fd, path);
    read_rows(path);
    reduce(path);
    close(fd);
    return 0;
}
