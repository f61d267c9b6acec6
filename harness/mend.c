/* mend.c - cuts off what a killed runner left unfinished.
 *
 * A write of rows is atomic to everyone but SIGKILL and a loss of power.  As
 * no row has a newline in it (row_write makes spaces of them), a record is a
 * line, and `run` is the second column of what we write.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUN_ROOM = 16 };

/* The second field of a line, as text. */
static void copy_run(const char *line, char run[RUN_ROOM])
{
    const char *comma = strchr(line, ',');

    snprintf(run, RUN_ROOM, "%.*s", comma ? (int)strcspn(comma + 1, ",\n") : 0,
             comma ? comma + 1 : "");
}

/* Where the rows of the last run begin; *torn: the file ends within a line,
 * or is empty. */
static off_t start_of_last_run(FILE *f, int *torn)
{
    char *line = NULL, last[RUN_ROOM] = "", run[RUN_ROOM];
    size_t room = 0;
    off_t start = 0, at = 0;
    ssize_t n;

    *torn = 1;
    while ((n = getline(&line, &room, f)) > 0) {
        *torn = line[n - 1] != '\n';
        if (*torn)
            break;
        copy_run(line, run);
        if (strcmp(run, last) != 0)
            start = at;
        memcpy(last, run, sizeof last);
        at += n;
    }
    free(line);
    return start;
}

int mend_samples(const char *path)
{
    FILE *f = fopen(path, "r");
    int torn, err = 0;

    if (!f)
        return errno == ENOENT ? 0 : errno;
    off_t start = start_of_last_run(f, &torn);
    if (ferror(f))
        err = EIO;
    fclose(f);
    if (err || !torn)
        return err;
    return (start ? truncate(path, start) : unlink(path)) ? errno : 0;
}
