/* fake_tree.c - a folder that stands for / in a test: its own /proc and /sys.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _XOPEN_SOURCE 700 /* nftw */

#include "fake_tree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "folders.h"

static void must(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

void fake_tree_open(struct fake_tree *t)
{
    const char *base = getenv("TMPDIR");

    snprintf(t->root, sizeof t->root, "%.200s/heapyard-root-XXXXXX",
             base && *base ? base : "/tmp");
    must(mkdtemp(t->root) != NULL, t->root);
}

void fake_tree_put(const struct fake_tree *t, const char *path,
                   const char *text)
{
    char folder[600], file[600];
    size_t end = 0;

    snprintf(file, sizeof file, "%s/%s", t->root, path);
    for (size_t i = 0; file[i]; i++)
        end = file[i] == '/' ? i : end;
    snprintf(folder, sizeof folder, "%.*s", (int)end, file);
    must(make_folders(folder) == 0, folder);
    FILE *f = fopen(file, "w");
    must(f != NULL, file);
    must(fputs(text, f) >= 0 && fclose(f) == 0, file);
}

void fake_tree_drop(const struct fake_tree *t, const char *path)
{
    char file[600];

    snprintf(file, sizeof file, "%s/%s", t->root, path);
    must(unlink(file) == 0, file);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void fake_tree_close(const struct fake_tree *t)
{
    must(nftw(t->root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, t->root);
}
