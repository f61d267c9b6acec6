/* numbers.h - numbers that users type.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_NUMBERS_H
#define HEAPYARD_NUMBERS_H

#include <stdint.h>

/* A decimal whole number in min .. max, nothing after it.  Returns 0, EINVAL
 * or ERANGE. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* A finite decimal number in min .. max, nothing after it.  Likewise. */
int real_parse(const char *text, double min, double max, double *out);

#endif
