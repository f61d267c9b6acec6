/* run_rows.c - the rows that one run leaves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct row run_row(const char *session, const struct plan_run *run,
                   const struct outcome *o, const struct trace *trace)
{
    struct row row = {.status = o->status, .value = NAN};

    snprintf(row.key.session, sizeof row.key.session, "%s", session);
    row.key.run = run->run;
    row.key.block = run->block;
    snprintf(row.key.workload, sizeof row.key.workload, "%s",
             run->trace.workload);
    row.key.threads = trace                ? trace->threads
                      : run->trace.threads ? run->trace.threads
                                           : 1; /* who knows */
    row.key.scale = run->trace.scale;
    row.key.seed = run->trace.seed;
    snprintf(row.key.allocator, sizeof row.key.allocator, "%s", run->allocator);
    snprintf(row.key.served_by, sizeof row.key.served_by, "%s", o->served_by);
    snprintf(row.key.meter, sizeof row.key.meter, "%s", run->meter);
    snprintf(row.key.touch, sizeof row.key.touch, "%s", touch_name(run->touch));
    row.key.window = run->window;
    snprintf(row.note, sizeof row.note, "%s", o->note);
    return row;
}

void run_row_set(struct row *row, const struct outcome *o, size_t i)
{
    const struct outcome_value *v = &o->values[i];

    memcpy(row->metric, v->metric, sizeof row->metric);
    memcpy(row->at, v->at, sizeof row->at);
    memcpy(row->unit, v->unit, sizeof row->unit);
    row->value = v->value;
    snprintf(row->note, sizeof row->note, "%s", v->note[0] ? v->note : o->note);
}

/* The rows as text, to be freed. */
static int make_text(struct row row, const struct outcome *o, char **text,
                     size_t *size)
{
    FILE *f = open_memstream(text, size);
    int err = f ? 0 : errno;

    if (!err && o->status != STATUS_OK)
        err = row_write(f, &row);
    for (size_t i = 0; i < o->n && !err; i++) {
        run_row_set(&row, o, i);
        err = row_write(f, &row);
    }
    if (f && fclose(f) && !err)
        err = errno;
    return err;
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(fd, text, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd) && errno != EINVAL && errno != EROFS ? errno : 0;
}

static int append_text(const char *path, const char *text, size_t size)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0)
        return errno;
    int err = fstat(fd, &st) ? errno : write_all(fd, text, size);

    if (err && ftruncate(fd, st.st_size))
        err = errno;
    return close(fd) && !err ? errno : err;
}

int run_rows_append(const char *path, const struct row *row,
                    const struct outcome *o)
{
    char *text = NULL;
    size_t size = 0;
    int err = make_text(*row, o, &text, &size);

    err = err ? err : append_text(path, text, size);
    free(text);
    return err;
}
