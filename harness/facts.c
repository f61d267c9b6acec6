/* facts.c - facts of one session, read back from environment.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "facts.h"

#include <stdio.h>
#include <string.h>

#include "csv.h"

void facts_read(const char *path, const char *session, const char *const name[],
                size_t n, char fact[][FACT_ROOM])
{
    struct csv_reader *reader;
    struct csv_record record;

    for (size_t i = 0; i < n; i++)
        snprintf(fact[i], FACT_ROOM, "unknown");
    if (csv_open(path, &reader))
        return;
    while (!csv_next(reader, &record)) {
        if (record.n != 3 || strcmp(record.field[0], session))
            continue;
        for (size_t i = 0; i < n; i++)
            if (!strcmp(record.field[1], name[i]))
                snprintf(fact[i], FACT_ROOM, "%s", record.field[2]);
    }
    csv_close(reader);
}
