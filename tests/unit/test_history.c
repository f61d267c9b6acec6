/* test_history.c - history.csv: what is appended is read back, by series.
 *
 * tests/cli/history.sh has what users see.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "history.h"

enum { WHY = 512 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64: Marsaglia, JSS 8(14), 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct history_row make_row(int cell, int night)
{
    static const char *const machines[] = {"a, \"quoted\": x", "b"};
    struct history_row row = {.cell = {.key = {.workload = "w:k=1,2",
                                               .threads = 2,
                                               .scale = 0.1,
                                               .touch = "page",
                                               .window = 7,
                                               .meter = "time"},
                                       .metric = "wall",
                                       .unit = "ns"},
                              .point = {.n = 3, .median = {2.5, 1, 1e300}}};
    snprintf(row.cell.machine, sizeof row.cell.machine, "%s",
             machines[cell % 2]);
    snprintf(row.cell.key.allocator, sizeof row.cell.key.allocator, "arm%d",
             cell / 2);
    snprintf(row.point.commit, sizeof row.point.commit, "c%d", night);
    snprintf(row.point.date, sizeof row.point.date, "2026-01-%02d", night);
    row.point.median.value += night / 3.0 + cell;
    return row;
}

Test(history, days_that_there_are)
{
    static const struct {
        const char *text;
        int is_date;
    } cases[] = {
        {"2026-11-25", 1},
        {"2026-11-25T01:38:37Z", 1},
        {"2024-02-29", 1},
        {"2000-02-29", 1},
        {"2026-12-31T23:59:60Z", 1},
        {"2026-02-29", 0},
        {"1900-02-29", 0},
        {"2026-00-10", 0},
        {"2026-13-10", 0},
        {"2026-04-31", 0},
        {"2026-11-00", 0},
        {"2026-11-25T24:00:00Z", 0},
        {"2026-11-25T01:60:37Z", 0},
        {"2026-11-25T01:38:37", 0},
        {"2026-11-25T01:38Z", 0},
        {"2026-11-25 01:38:37Z", 0},
        {"2026-11-25x", 0},
        {"26-11-25", 0},
        {"2026-1-5", 0},
        {"", 0},
        {"unknown", 0},
        {"2026-11-", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(history_is_date(cases[i].text), cases[i].is_date, "%s",
                     cases[i].text);
}

/* Cells in any order each night, some left out; as a model, which nights each
 * cell has. */
Test(history, what_is_appended_is_read_back_by_series)
{
    enum { CELLS = 12, NIGHTS = 28 };
    uint64_t state = 5;
    for (int round = 0; round < 10; round++) {
        char path[] = "/tmp/heapyard-history-XXXXXX", why[WHY] = "";
        int has[CELLS][NIGHTS + 1] = {{0}};
        close(mkstemp(path));
        unlink(path);
        for (int night = 1; night <= NIGHTS; night++) {
            struct history_row row[CELLS];
            size_t n = 0;
            int first = (int)(next_random(&state) % CELLS);
            for (int i = 0; i < CELLS; i++) {
                int cell = (first + 5 * i) % CELLS;
                if (next_random(&state) % 4 == 0)
                    continue;
                row[n++] = make_row(cell, night);
                has[cell][night] = 1;
            }
            cr_assert_eq(history_append(path, row, n, why, WHY), 0, "%s", why);
        }
        struct history h;
        cr_assert_eq(history_read(path, &h, why, WHY), 0, "%s", why);
        cr_assert_eq(h.n, (size_t)CELLS);
        for (int cell = 0; cell < CELLS; cell++) {
            struct history_row want = make_row(cell, 1);
            const struct history_series *s = h.series;
            while (strcmp(s->cell.machine, want.cell.machine) ||
                   strcmp(s->cell.key.allocator, want.cell.key.allocator))
                s++;
            size_t k = 0;
            for (int night = 1; night <= NIGHTS; night++) {
                if (!has[cell][night])
                    continue;
                want = make_row(cell, night);
                cr_assert(k < s->n);
                cr_assert_str_eq(s->point[k].commit, want.point.commit);
                cr_assert_str_eq(s->point[k].date, want.point.date);
                cr_assert_eq(s->point[k].median.value, want.point.median.value);
                cr_assert_eq(s->point[k].median.hi, 1e300);
                k++;
            }
            cr_assert_eq(k, s->n);
            cr_assert_eq(s->cell.key.scale, 0.1);
            cr_assert_eq(s->cell.key.window, 7u);
        }
        history_free(&h);
        unlink(path);
    }
}

Test(history, each_part_of_the_cell_keeps_series_apart)
{
    struct history h = {0};
    char why[WHY] = "";
    struct history_row row[11];
    for (int i = 0; i < 11; i++)
        row[i] = make_row(0, 1);
    strcpy(row[1].cell.machine, "other");
    strcpy(row[2].cell.key.workload, "other");
    row[3].cell.key.threads = 9;
    row[4].cell.key.scale = 9;
    strcpy(row[5].cell.key.touch, "none");
    row[6].cell.key.window = 9;
    strcpy(row[7].cell.key.meter, "memory");
    strcpy(row[8].cell.key.allocator, "other");
    strcpy(row[9].cell.metric, "other");
    strcpy(row[10].cell.at, "mark:peak");
    for (int i = 0; i < 11; i++)
        cr_assert_eq(history_add(&h, &row[i], "x", 0, why, WHY), 0, "%s", why);
    cr_assert_eq(h.n, 11u);
    for (int i = 0; i < 11; i++)
        cr_assert_eq(history_add(&h, &row[i], "x", 0, why, WHY), EBADMSG,
                     "commit twice");
    history_free(&h);
}
