/* collections.c - one row of collections.csv: one collection of one run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "collections.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "columns.h"

#define FIELD(member, type) COLUMN(struct collection_row, member, type, 0, NULL)

static const struct column columns[] = {
    FIELD(allocator, COLUMN_TEXT),       FIELD(number, COLUMN_COUNT64),
    FIELD(begin, COLUMN_MAYBE),          FIELD(stop, COLUMN_MAYBE),
    FIELD(mark, COLUMN_MAYBE),           FIELD(finish, COLUMN_MAYBE),
    FIELD(marked_objects, COLUMN_MAYBE), FIELD(marked_bytes, COLUMN_MAYBE),
    FIELD(live, COLUMN_MAYBE),           FIELD(allocated, COLUMN_MAYBE),
    FIELD(heap, COLUMN_MAYBE),           FIELD(freed, COLUMN_MAYBE),
    FIELD(moved, COLUMN_MAYBE),          FIELD(kind, COLUMN_TEXT),
    FIELD(reason, COLUMN_TEXT),          FIELD(threads, COLUMN_COUNT32),
    FIELD(markers, COLUMN_COUNT32),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

int collections_write_header(FILE *f)
{
    return table_write_header(f, columns, COLUMNS);
}

int collections_write(FILE *f, const struct collection_row *row)
{
    return table_write(f, columns, COLUMNS, row);
}

static int add_row(struct collections *c, const struct collection_row *row,
                   size_t *room)
{
    if (c->n == *room) {
        size_t more = *room ? 2 * *room : 256;
        struct collection_row *grown = realloc(c->row, more * sizeof *grown);
        if (!grown)
            return ENOMEM;
        c->row = grown;
        *room = more;
    }
    c->row[c->n++] = *row;
    return 0;
}

int collections_read(const char *path, struct collections *out, char *why,
                     size_t why_size)
{
    struct table_reader *reader;
    struct collection_row row;
    size_t room = 0;
    *out = (struct collections){0};
    int err = table_open(path, columns, COLUMNS, &reader, why, why_size);
    if (err)
        return err;
    while (!(err = table_next(reader, &row, why, why_size)))
        if ((err = add_row(out, &row, &room)) != 0)
            break;
    table_close(reader);
    if (err == ENOENT)
        return 0;
    collections_free(out);
    return err;
}

void collections_free(struct collections *c)
{
    free(c->row);
    *c = (struct collections){0};
}

double collection_pause(const struct collection_row *c)
{
    const double part[] = {c->stop, c->mark, c->finish};
    double sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += isnan(part[i]) ? 0 : part[i];
    return sum;
}
