/* facts.h - facts of one session, read back from environment.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FACTS_H
#define HEAPYARD_FACTS_H

#include <stddef.h>

enum { FACT_ROOM = 96 };

/* Fill fact[n] with what the file says of name[n] in a session; "unknown" is
 * what it does not say, or cannot be read. */
void facts_read(const char *path, const char *session, const char *const name[],
                size_t n, char fact[][FACT_ROOM]);

#endif
