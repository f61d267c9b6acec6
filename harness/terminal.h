/* terminal.h - how wide a table may be.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TERMINAL_H
#define HEAPYARD_TERMINAL_H

/* Columns of the terminal on standard output, if it has 80 or more; else, as
 * in a pipe, 100. */
unsigned terminal_width(void);

#endif
