/* witness_file.c - what the witness in a program wrote.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "witness_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 6, LINE_ROOM = 8192 };

static size_t split(char *line, char *field[FIELDS])
{
    size_t n = 0;

    line[strcspn(line, "\n")] = 0;
    for (char *next = line; next && n < FIELDS; n++) {
        field[n] = next;
        next = strchr(next, '\t');
        if (next)
            *next++ = 0;
    }
    return n;
}

static void take_begin(struct witness *w, char *const field[],
                       const char *program)
{
    const char *slash = strrchr(field[2], '/');

    if (w->has_begun || strcmp(slash ? slash + 1 : field[2], program) != 0)
        return;
    w->has_begun = true;
    w->pid = (pid_t)strtol(field[1], NULL, 10);
    w->baseline = strtoull(field[3], NULL, 10);
    snprintf(w->served_by, sizeof w->served_by, "%s", field[4]);
    snprintf(w->why, sizeof w->why, "%.199s", field[5]);
}

static void take_end(struct witness *w, char *const field[])
{
    if (!w->has_begun || (pid_t)strtol(field[1], NULL, 10) != w->pid)
        return;
    w->has_ended = true;
    w->most = strtoull(field[2], NULL, 10);
    w->file = strtoull(field[3], NULL, 10);
}

void witness_read(const char *path, const char *program, struct witness *out)
{
    char line[LINE_ROOM], *field[FIELDS];
    FILE *f = fopen(path, "r");

    *out = (struct witness){0};
    while (f && fgets(line, sizeof line, f)) {
        size_t n = split(line, field);

        if (n == 6 && !strcmp(field[0], "begin"))
            take_begin(out, field, program);
        else if (n == 4 && !strcmp(field[0], "end"))
            take_end(out, field);
    }
    if (f)
        fclose(f);
}
