/* callgrind_requests.c - what the measured process asks of callgrind.
 *
 * A request is a sequence of instructions that does nothing on a processor
 * and that valgrind recognises; valgrind's header has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "callgrind_requests.h"

#include <stddef.h>
#include <valgrind/callgrind.h>

const char *callgrind_requests_missing(void)
{
    return NULL;
}

int callgrind_requests_heard(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

void callgrind_requests_start(void)
{
    CALLGRIND_START_INSTRUMENTATION;
}

void callgrind_requests_stop(void)
{
    CALLGRIND_STOP_INSTRUMENTATION;
}

void callgrind_requests_dump(void)
{
    CALLGRIND_DUMP_STATS;
}
