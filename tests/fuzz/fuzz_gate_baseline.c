/* fuzz_gate_baseline.c - the gate's reader of a baseline, on any bytes.
 *
 * Property: it ends with 0 or says what is wrong and where; what was read has
 * no value that is not a number, and no more of them than the input has lines;
 * judging a cell against itself finds no change.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create */

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gate_baseline.h"
#include "judge.h"

enum { WHY = 512 };

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static size_t count_lines(const uint8_t *data, size_t size)
{
    size_t n = 1;

    for (size_t i = 0; i < size; i++)
        n += data[i] == '\n' || data[i] == '\r';
    return n;
}

static void judge_against_itself(const struct cell *cell)
{
    struct gate_cell c = {.tier = GATE_EXACT, .less_is_better = 1};
    double *x = malloc(cell->n * sizeof *x);

    require(x != NULL);
    for (size_t i = 0; i < cell->n; i++)
        x[i] = cell->samples[i].value;
    require(!judge_exact(&c, x, cell->n, x, cell->n));
    require(c.verdict == GATE_UNCHANGED ||
            (c.verdict == GATE_REFUSED && c.base < 0));
    free(x);
}

static void look_into(const struct cells *cells, size_t lines)
{
    size_t values = 0;

    for (size_t i = 0; i < cells->n; i++) {
        const struct cell *cell = cells->cell[i];

        for (size_t j = 0; j < cell->n; j++)
            require(isfinite(cell->samples[j].value));
        values += cell->n;
        if (cell->n)
            judge_against_itself(cell);
    }
    require(values <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], why[WHY] = "";
    int fd = memfd_create("fuzz", 0);
    struct cells cells = {0};
    struct gate_baseline b;

    require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int err = gate_baseline_read(path, &cells, &b, why, WHY);

    require(err == 0 || err == EBADMSG || err == ENODATA);
    require(!err || (!strncmp(why, path, strlen(path)) && strlen(why) > 20));
    if (!err)
        look_into(&cells, count_lines(data, size));
    cells_free(&cells);
    close(fd);
    return 0;
}
