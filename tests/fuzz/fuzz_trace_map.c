/* fuzz_trace_map.c - the mapper of run-time traces, on any bytes.
 *
 * Property: a trace that is mapped keeps the invariant at the top of trace.c,
 * and all of its tables can be read; what is refused has a reason that begins
 * with the path.
 *
 * The input reaches the mapper through a memory file, as it takes a path.
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

#include "trace.h"
#include "trace_file.h"
#include "trace_walk.h"

static void require(int is_true)
{
    if (!is_true)
        abort();
}

/* What would stop nearly every input at the door. */
static void mend_header(uint8_t *file, size_t size)
{
    struct trace_file_header h;

    if (size < sizeof h)
        return;
    memcpy(&h, file, sizeof h);
    memcpy(h.magic, TRACE_FILE_MAGIC, sizeof h.magic);
    h.version = TRACE_VERSION;
    h.byte_order = TRACE_BYTE_ORDER;
    h.file_bytes = size;
    memcpy(file, &h, sizeof h);
}

static void map_and_walk(const uint8_t *file, size_t size)
{
    char path[64], why[128];
    int fd = memfd_create("fuzz", 0);
    struct trace *trace;

    require(fd >= 0 && write(fd, file, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int err = trace_map(path, &trace, why, sizeof why);
    require(err == 0 || err == EBADMSG || err == ENOMEM);
    if (err) {
        require(!strncmp(why, path, strlen(path)));
    } else {
        require(trace_walk(trace) == NULL);
        trace_unmap(trace);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *mended = malloc(size + 1);

    require(mended != NULL);
    memcpy(mended, data, size);
    mend_header(mended, size);
    map_and_walk(mended, size);
    free(mended);
    return 0;
}
