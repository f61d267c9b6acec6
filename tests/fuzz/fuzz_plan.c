/* fuzz_plan.c - the reader of plan.tsv, on any bytes.
 *
 * Property: a plan that was read can be written, and reads back the same; its
 * runs are numbered from 1; what is refused has a reason that begins with the
 * path.
 *
 * The input reaches the reader through a memory file, as it takes a path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plan.h"

enum { PATH_SIZE = 64, WHY = 128 };

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static int new_file(char path[PATH_SIZE])
{
    int fd = memfd_create("fuzz", 0);

    require(fd >= 0);
    snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}

static void write_and_read(const struct plan *plan)
{
    char path[PATH_SIZE], why[WHY];
    int fd = new_file(path);
    FILE *file = fopen(path, "w");
    struct plan again;

    require(file && !plan_write(plan, file));
    fclose(file);
    require(!plan_read(path, &again, why, sizeof why));
    require(plan_equal(plan, &again));
    plan_free(&again);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_SIZE], why[WHY];
    int fd = new_file(path);
    struct plan plan;

    require(write(fd, data, size) == (ssize_t)size);
    int err = plan_read(path, &plan, why, sizeof why);
    require(err == 0 || err == EINVAL);
    require(!err || !strncmp(why, path, strlen(path)));
    require(err ? plan.n == 0 : plan.n > 0);
    for (size_t i = 0; i < plan.n; i++)
        require(plan.runs[i].run == i + 1);
    if (!err)
        write_and_read(&plan);
    plan_free(&plan);
    close(fd);
    return 0;
}
