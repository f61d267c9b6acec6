/* carry_out.h - runs a plan for a verb: signals, messages, exit code.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CARRY_OUT_H
#define HEAPYARD_CARRY_OUT_H

#include "run.h"

/* run_plan with Ctrl-C turned into a clean stop, and the outcome told on
 * standard error.  Returns an exit code. */
int carry_out(const char *verb, const struct run_config *);

/* From here on Ctrl-C and its like only set exec_stop. */
void carry_out_catch_signals(void);

#endif
