/* callgrind_requests.h - what the measured process asks of callgrind.
 *
 * Two implementations, one of which the build takes: with valgrind's header,
 * and without (callgrind_requests_none.c), where nothing can be counted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CALLGRIND_REQUESTS_H
#define HEAPYARD_CALLGRIND_REQUESTS_H

/* NULL, or why this program cannot be counted, for the note of a skip. */
const char *callgrind_requests_missing(void);

/* Whether valgrind runs this process. */
int callgrind_requests_heard(void);

/* From here on instructions are counted (with empty caches), or no more. */
void callgrind_requests_start(void);
void callgrind_requests_stop(void);

/* Write the counts so far to callgrind's file. */
void callgrind_requests_dump(void);

#endif
