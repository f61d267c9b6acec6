/* doctor_files.c - reads the small files of /proc and /sys below a root.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "doctor_files.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_below(const char *root, const char *path)
{
    char whole[DOCTOR_PATH];

    if (snprintf(whole, sizeof whole, "%s%s", root, path) >= DOCTOR_PATH)
        return NULL;
    return fopen(whole, "r");
}

int doctor_text(const char *root, const char *path, char out[DOCTOR_TEXT])
{
    FILE *f = open_below(root, path);

    out[0] = 0;
    if (!f)
        return 0;
    if (fgets(out, DOCTOR_TEXT, f))
        out[strcspn(out, "\n")] = 0;
    fclose(f);
    return out[0] != 0;
}

int doctor_number(const char *root, const char *path, double *out)
{
    char text[DOCTOR_TEXT], *end;

    if (!doctor_text(root, path, text))
        return 0;
    *out = strtod(text, &end);
    return end != text;
}

int doctor_value(const char *root, const char *path, const char *key,
                 char out[DOCTOR_TEXT])
{
    char line[8192];
    size_t n = strlen(key);
    FILE *f = open_below(root, path);

    out[0] = 0;
    while (f && !out[0] && fgets(line, sizeof line, f)) {
        char *at = line + n;

        if (strncmp(line, key, n) != 0 || line[n + strspn(at, " \t")] != ':')
            continue;
        at = strchr(at, ':') + 1;
        at += strspn(at, " \t");
        snprintf(out, DOCTOR_TEXT, "%.*s", (int)strcspn(at, "\n"), at);
    }
    if (f)
        fclose(f);
    return out[0] != 0;
}

void doctor_each(const char *root, const char *pattern,
                 void (*see)(const char *root, const char *path, void *arg),
                 void *arg)
{
    char whole[DOCTOR_PATH];
    glob_t found;

    if (snprintf(whole, sizeof whole, "%s%s", root, pattern) >= DOCTOR_PATH ||
        glob(whole, 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        see(root, found.gl_pathv[i] + strlen(root), arg);
    globfree(&found);
}

unsigned doctor_count_list(const char *list)
{
    unsigned n = 0;

    while (*list) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;

        if (end == list)
            return 0;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (last < first || last - first > 1 << 20)
            return 0;
        n += (unsigned)(last - first) + 1;
        list = end + (*end == ',');
        if (*end && *end != ',')
            return 0;
    }
    return n;
}

void doctor_chosen(char text[DOCTOR_TEXT])
{
    char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

    if (!close)
        return;
    *close = 0;
    memmove(text, open + 1, strlen(open + 1) + 1);
}
