/* mend.h - cuts off what a killed runner left unfinished.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MEND_H
#define HEAPYARD_MEND_H

/* If samples.csv at `path` ends within a record, cut that record off and with
 * it all rows of the run that was written last, whichever it was: it will be
 * carried out again.  A file that then holds no row is removed.  Files that
 * end with a newline, and missing ones, are left alone.  Returns 0 or an
 * errno. */
int mend_samples(const char *path);

#endif
