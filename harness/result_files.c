/* result_files.c - the files that a verb leaves in its folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "result_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "places.h"

enum { PATH_ROOM = 4096 + 128 };

static void path_in(const char *folder, const char *name, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%.4000s/%.100s", folder, name);
}

int result_plan_save(const char *verb, const char *folder,
                     const struct plan *plan)
{
    char path[PATH_ROOM];

    path_in(folder, "plan.tsv", path);
    FILE *f = fopen(path, "wx");
    int err = f ? plan_write(plan, f) : errno;

    if (f && fclose(f) && !err)
        err = errno;
    if (f && err)
        unlink(path); /* half a plan is none */
    if (err)
        fprintf(stderr, "%s: %s: %s%s\n", verb, path, strerror(err),
                err == EEXIST ? "; go on with --resume, or use another --out"
                              : "");
    return err;
}

int result_summary_save(const char *verb, const char *folder,
                        const struct summary *summary)
{
    char path[PATH_ROOM];

    path_in(folder, "summary.csv", path);
    FILE *f = fopen(path, "w");
    int err = f ? summary_write(summary, f) : errno;

    if (f && fclose(f) && !err)
        err = errno;
    if (err)
        fprintf(stderr, "%s: %s: %s\n", verb, path, strerror(err));
    return err;
}

int result_schema_copy(const char *verb, const char *folder, const char *name)
{
    char from[PATH_ROOM], to[PATH_ROOM], part[4096];
    size_t n;

    path_in(places_schemas(), name, from);
    path_in(folder, name, to);
    FILE *in = fopen(from, "r"), *out = in ? fopen(to, "w") : NULL;
    int err = out ? 0 : errno;

    while (!err && (n = fread(part, 1, sizeof part, in)) > 0)
        if (fwrite(part, 1, n, out) != n)
            err = errno;
    if (in)
        fclose(in);
    if (out && fclose(out) && !err)
        err = errno;
    if (err)
        fprintf(stderr, "%s: %s: %s\n", verb, in ? to : from, strerror(err));
    return err;
}
