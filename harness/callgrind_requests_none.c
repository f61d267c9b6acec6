/* callgrind_requests_none.c - a build that cannot ask callgrind for anything.
 *
 * Taken where valgrind's header is missing, and with sanitizers, whose
 * programs valgrind cannot run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "callgrind_requests.h"

const char *callgrind_requests_missing(void)
{
    return "this program was built without valgrind/callgrind.h (package "
           "valgrind) or with a sanitizer";
}

int callgrind_requests_heard(void)
{
    return 0;
}

void callgrind_requests_start(void)
{
}

void callgrind_requests_stop(void)
{
}

void callgrind_requests_dump(void)
{
}
