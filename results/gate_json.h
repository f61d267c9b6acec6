/* gate_json.h - what the JSON reports of the gate share.
 *
 * Trees are made by libjansson, which refuses what is not UTF-8 and what is
 * not finite: writers clean texts and leave such numbers out before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_JSON_H
#define HEAPYARD_GATE_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "gate.h"

/* Write the tree and a newline.  Takes root; NULL gives ENOMEM. */
int gate_json_write(json_t *root, FILE *);

/* The median of the candidate with its 95 % interval by stat_median; without
 * one, lo = hi = NAN: exact, or too few values.  Returns 0 or ENOMEM. */
int gate_json_interval(const struct gate_cell *, struct interval *out);

#endif
