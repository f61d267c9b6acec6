/* folders.c - where results go.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "folders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAMES_MAX = 1000 };

void folder_name(const char *what, char *out, size_t size)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm local;

    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    snprintf(out, size, "results/out/%s-%s", stamp, what);
    for (unsigned n = 2; !access(out, F_OK) && n < NAMES_MAX; n++)
        snprintf(out, size, "results/out/%s-%s-%u", stamp, what, n);
}

int make_folders(const char *path)
{
    char part[4096];
    struct stat is;
    size_t n = strlen(path);

    if (n >= sizeof part)
        return ENAMETOOLONG;
    memcpy(part, path, n + 1);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            return errno;
        *slash = '/';
    }
    if (!mkdir(part, 0777))
        return 0;
    if (errno != EEXIST)
        return errno;
    return stat(part, &is) ? errno : S_ISDIR(is.st_mode) ? 0 : ENOTDIR;
}
