/* scratch.c - a folder of its own for a test that writes files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

void scratch_open(struct scratch *s)
{
    const char *base = getenv("TMPDIR");

    snprintf(s->dir, sizeof s->dir, "%.200s/heapyard-test-XXXXXX",
             base && *base ? base : "/tmp");
    must(mkdtemp(s->dir) != NULL, s->dir);
}

char *scratch_path(const struct scratch *s, const char *name, char *path,
                   size_t size)
{
    must(snprintf(path, size, "%s/%s", s->dir, name) < (int)size, name);
    return path;
}

static int is_file(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

size_t scratch_count(const struct scratch *s)
{
    DIR *dir = opendir(s->dir);
    size_t n = 0;

    must(dir != NULL, s->dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += (size_t)is_file(entry);
    closedir(dir);
    return n;
}

void scratch_close(struct scratch *s)
{
    char path[600];
    DIR *dir = opendir(s->dir);

    must(dir != NULL, s->dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (is_file(entry))
            unlink(scratch_path(s, entry->d_name, path, sizeof path));
    closedir(dir);
    must(rmdir(s->dir) == 0, s->dir);
}

void scratch_write(const struct scratch *s, const char *name, const void *bytes,
                   size_t n)
{
    char path[600];
    FILE *file = fopen(scratch_path(s, name, path, sizeof path), "w");

    must(file != NULL, path);
    must(fwrite(bytes, 1, n, file) == n, path);
    must(fclose(file) == 0, path);
}

size_t scratch_read(const struct scratch *s, const char *name, void *bytes,
                    size_t size)
{
    char path[600];
    FILE *file = fopen(scratch_path(s, name, path, sizeof path), "r");

    must(file != NULL, path);
    size_t n = fread(bytes, 1, size, file);
    while (getc(file) != EOF)
        n++;
    fclose(file);
    return n;
}
