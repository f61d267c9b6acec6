/* fuzz_spec.c - the reader of spec files, on any bytes.
 *
 * Property: whatever is read leaves a spec in which every figure is within its
 * range and every list holds different, printable names; what is refused has
 * a reason that begins with the path.
 *
 * The input reaches the reader through a memory file, as it takes a path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create */

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "meter.h"
#include "spec.h"

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void require_list(const struct spec_list *list)
{
    require(list->n >= 1 && list->n <= SPEC_LIST_MAX);
    for (unsigned i = 0; i < list->n; i++) {
        require(list->item[i][0] &&
                memchr(list->item[i], 0, SPEC_NAME_MAX) != NULL);
        for (const char *c = list->item[i]; *c; c++)
            require(*c != ',' && !iscntrl((unsigned char)*c));
        for (unsigned k = 0; k < i; k++)
            require(strcmp(list->item[i], list->item[k]) != 0);
    }
}

/* With any options: those are checked with the plan. */
static int is_meter_name(const char *text)
{
    for (size_t i = 0; meters[i]; i++)
        if (meter_is(text, meters[i]->name))
            return 1;
    return 0;
}

static void require_sound(const struct spec *spec)
{
    require_list(&spec->workloads);
    require_list(&spec->allocators);
    require_list(&spec->meters);
    for (unsigned i = 0; i < spec->meters.n; i++)
        require(is_meter_name(spec->meters.item[i]));
    require(spec->nthreads >= 1 && spec->nthreads <= SPEC_LIST_MAX);
    for (unsigned i = 0; i < spec->nthreads; i++)
        require(spec->threads[i] >= 1 && spec->threads[i] <= OP_MAX_THREADS);
    require(spec_runs(spec) >= 1 && spec_runs(spec) <= 1000);
    require(spec->precision >= 0 && spec->precision <= 0.5);
    require(spec->budget_s <= 7 * 24 * 3600);
    require(spec->memory_runs >= 1 && spec->memory_runs <= 1000);
    require(spec->scale >= 1e-4 && spec->scale <= 1e4);
    require(spec->touch < TOUCH_KINDS);
    require(!spec->window || spec->window >= 512);
    require(spec->timeout_s >= 1 && spec->timeout_s <= 86400);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct spec spec;
    char path[64], why[128];
    int fd = memfd_create("fuzz", 0);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    spec_init(&spec);
    int err = spec_read(&spec, path, why, sizeof why);
    require(err == 0 || err == EINVAL);
    require(!err || !strncmp(why, path, strlen(path)));
    require_sound(&spec); /* what stood before the error counts, too */
    close(fd);
    return 0;
}
