/* app_output.c - what a run of a program left in files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "app_output.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app_file.h"
#include "numbers.h"

int app_output_cksum(const char *path, uint32_t *sum, uint64_t *bytes)
{
    char part[1 << 14];
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f)
        return errno;
    *sum = 0;
    *bytes = 0;
    while ((n = fread(part, 1, sizeof part, f)) > 0) {
        *sum = app_cksum(*sum, part, n);
        *bytes += n;
    }
    int err = ferror(f) ? EIO : 0;

    fclose(f);
    *sum = app_cksum_end(*sum, *bytes);
    return err;
}

void app_output_last_line(const char *path, char *out, size_t size)
{
    char line[400];
    FILE *f = fopen(path, "r");

    out[0] = 0;
    while (f && fgets(line, sizeof line, f)) {
        size_t n = strlen(line);

        while (n && isspace((unsigned char)line[n - 1]))
            line[--n] = 0;
        if (n && !strstr(line, "Warning: Ignoring non-zero exit code"))
            snprintf(out, size, "%s", line);
    }
    if (f)
        fclose(f);
}

int app_output_number(const char *path, double *out)
{
    char line[64] = "";
    FILE *f = fopen(path, "r");

    if (f && !fgets(line, sizeof line, f))
        line[0] = 0;
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = 0;
    return real_parse(line, -HUGE_VAL, HUGE_VAL, out) ? EBADMSG : 0;
}
