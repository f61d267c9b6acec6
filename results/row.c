/* row.c - one row of samples.csv: one value of one run.
 *
 * The table of columns below is the format; columns.c reads and writes it.
 *
 * Invariant: a row has a value and a metric exactly if its status is ok.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "row.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

static const char *const names[STATUS_KINDS] = {
    [STATUS_OK] = "ok",           [STATUS_SKIP] = "skip",
    [STATUS_CRASH] = "crash",     [STATUS_TIMEOUT] = "timeout",
    [STATUS_CORRUPT] = "corrupt", [STATUS_NOMEM] = "nomem",
    [STATUS_ERROR] = "error",
};

const char *status_name(enum status s)
{
    return (unsigned)s < STATUS_KINDS ? names[s] : "error";
}

int status_parse(const char *name, enum status *out)
{
    for (unsigned s = 0; s < STATUS_KINDS; s++) {
        if (!strcmp(name, names[s])) {
            *out = (enum status)s;
            return 0;
        }
    }
    return EINVAL;
}

#define KEY(member, type, min, want)                                           \
    COLUMN_AS(#member, struct row, key.member, type, min, want)
#define OWN(member, type) COLUMN(struct row, member, type, -INFINITY, NULL)

static const struct column columns[] = {
    KEY(session, COLUMN_TEXT, 0, NULL),
    KEY(run, COLUMN_COUNT32, 1, NULL),
    KEY(block, COLUMN_COUNT32, 1, NULL),
    KEY(workload, COLUMN_TEXT, 0, NULL),
    KEY(threads, COLUMN_COUNT32, 1, NULL),
    KEY(scale, COLUMN_REAL, 1e-300, "a number above 0"),
    KEY(seed, COLUMN_COUNT64, 0, NULL),
    KEY(allocator, COLUMN_TEXT, 0, NULL),
    KEY(served_by, COLUMN_TEXT, 0, NULL),
    KEY(meter, COLUMN_TEXT, 0, NULL),
    KEY(touch, COLUMN_TEXT, 0, NULL),
    KEY(window, COLUMN_COUNT32, 0, NULL),
    OWN(status, COLUMN_STATUS),
    OWN(metric, COLUMN_TEXT),
    OWN(at, COLUMN_TEXT),
    OWN(unit, COLUMN_TEXT),
    OWN(value, COLUMN_MAYBE),
    OWN(note, COLUMN_TEXT),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* NULL, or what breaks the invariant. */
static const char *find_fault(const struct row *row)
{
    if (!row->key.workload[0] || !row->key.allocator[0] || !row->key.meter[0])
        return "workload, allocator or meter is empty (want all three)";
    if (row->status != STATUS_OK)
        return isnan(row->value) ? NULL
                                 : "value in a row whose status is not ok";
    if (!row->metric[0])
        return "metric is empty (want a name, as status is ok)";
    if (!isfinite(row->value))
        return "value is empty (want a number, as status is ok)";
    return NULL;
}

int row_write_header(FILE *f)
{
    return table_write_header(f, columns, COLUMNS);
}

int row_write(FILE *f, const struct row *row)
{
    const struct run_key *key = &row->key;
    if (find_fault(row) || !key->run || !key->block || !key->threads ||
        !isfinite(key->scale) || key->scale < 1e-300)
        return EINVAL;
    return table_write(f, columns, COLUMNS, row);
}

struct row_reader {
    struct table_reader *table;
};

int row_reader_open(const char *path, struct row_reader **out, char *why,
                    size_t why_size)
{
    struct row_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ENOMEM;
    int err = table_open(path, columns, COLUMNS, &r->table, why, why_size);
    if (err) {
        free(r);
        return err;
    }
    *out = r;
    return 0;
}

int row_reader_next(struct row_reader *r, struct row *out, char *why,
                    size_t why_size)
{
    int err = table_next(r->table, out, why, why_size);
    if (err)
        return err;
    const char *fault = find_fault(out);
    if (!fault)
        return 0;
    snprintf(why, why_size, "%s: %s", table_place(r->table), fault);
    return EBADMSG;
}

const char *row_reader_place(struct row_reader *r)
{
    return table_place(r->table);
}

void row_reader_close(struct row_reader *r)
{
    if (!r)
        return;
    table_close(r->table);
    free(r);
}
