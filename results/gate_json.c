/* gate_json.c - what the JSON reports of the gate share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_json.h"

#include <errno.h>
#include <math.h>

#include "cells.h"
#include "gate_text.h"

int gate_json_write(json_t *root, FILE *f)
{
    if (!root)
        return ENOMEM;
    int failed = json_dumpf(root, f, JSON_INDENT(2));
    json_decref(root);
    putc('\n', f);
    int err = gate_text_end(f);
    return err ? err : failed ? EIO : 0;
}

int gate_json_interval(const struct gate_cell *c, struct interval *out)
{
    size_t n;
    const double *values = gate_candidate_values(c, &n);
    *out = (struct interval){c->candidate, NAN, NAN};
    if (c->tier == GATE_EXACT || n < STAT_FEW || !isfinite(c->candidate))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return 0;
    struct interval median;
    int err =
        stat_median(values, n, cell_hash(&c->key, c->metric, c->at), &median);
    if (!err)
        *out = (struct interval){c->candidate, median.lo, median.hi};
    return err;
}
