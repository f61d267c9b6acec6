/* gate_baseline.c - rows of an earlier session, as a baseline.
 *
 * Invariant: no value of a run is taken twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_baseline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "csv.h"
#include "environment.h"
#include "fnv1a.h"

enum { PATH_ROOM = 4096 };

/* ---- rows ---- */

/* Hashes of values of runs, so that a second one of the same name is seen. */
struct seen_set {
    uint64_t *slot; /* [slots]: 0 is free */
    size_t slots, n;
};

static uint64_t hash_of(const struct row *row)
{
    uint64_t h = cell_hash(&row->key, row->metric, row->at);

    h = fnv1a(h, row->key.session, strlen(row->key.session));
    h = fnv1a(h, &row->key.run, sizeof row->key.run);
    h = fnv1a(h, &row->key.seed, sizeof row->key.seed);
    return h ? h : 1;
}

static int insert(uint64_t slot[], size_t slots, uint64_t hash)
{
    size_t i = (size_t)hash & (slots - 1);

    while (slot[i] && slot[i] != hash)
        i = (i + 1) & (slots - 1);
    if (slot[i])
        return EEXIST;
    slot[i] = hash;
    return 0;
}

/* Returns 0, EEXIST if it was there, or ENOMEM.  Two different values share
 * a 64-bit hash once in 10^10 files of 10^4 rows. */
static int see(struct seen_set *set, uint64_t hash)
{
    if (2 * set->n >= set->slots) {
        size_t slots = set->slots ? 2 * set->slots : 1024;
        uint64_t *slot = calloc(slots, sizeof *slot);

        if (!slot)
            return ENOMEM;
        for (size_t i = 0; i < set->slots; i++)
            if (set->slot[i])
                (void)insert(slot, slots, set->slot[i]);
        free(set->slot);
        set->slot = slot;
        set->slots = slots;
    }
    int err = insert(set->slot, set->slots, hash);

    set->n += !err;
    return err;
}

static int take_row(struct row_reader *reader, const struct row *row,
                    struct seen_set *set, struct cells *cells, char *why,
                    size_t why_size)
{
    int err = see(set, hash_of(row));

    if (err == EEXIST) {
        snprintf(why, why_size,
                 "%.300s: %s of %.60s on %.60s stands twice in run %u (want "
                 "each value of a run once)",
                 row_reader_place(reader),
                 row->metric[0] ? row->metric : "a failure", row->key.allocator,
                 row->key.workload, row->key.run);
        return EBADMSG;
    }
    if (!err)
        err = cells_take(cells, row, row_reader_place(reader), why, why_size);
    return err;
}

static int read_rows(const char *path, struct cells *cells, char *why,
                     size_t why_size)
{
    struct row_reader *reader;
    struct seen_set set = {0};
    struct row row;
    int err = row_reader_open(path, &reader, why, why_size);

    if (err)
        return err;
    while (!(err = row_reader_next(reader, &row, why, why_size))) {
        err = take_row(reader, &row, &set, cells, why, why_size);
        if (err)
            break;
    }
    row_reader_close(reader);
    free(set.slot);
    if (err == ENOENT && !cells->n) {
        snprintf(why, why_size, "%s: no rows (want at least one run)", path);
        return ENODATA;
    }
    return err == ENOENT ? 0 : err;
}

/* ---- the machine ---- */

static void take_fact(struct gate_baseline *b, const char *key,
                      const char *value)
{
    if (!strcmp(key, "cpu"))
        snprintf(b->cpu, sizeof b->cpu, "%s", value);
    else if (!strcmp(key, "libc"))
        snprintf(b->libc, sizeof b->libc, "%s", value);
    else if (!strcmp(key, "thp"))
        snprintf(b->thp, sizeof b->thp, "%s", value);
    else if (!strcmp(key, "date"))
        snprintf(b->date, sizeof b->date, "%s", value);
}

static void read_environment(const char *samples, struct gate_baseline *b)
{
    char path[PATH_ROOM];
    const char *slash = strrchr(samples, '/');
    struct csv_reader *reader;
    struct csv_record record;

    snprintf(path, sizeof path, "%.*senvironment.csv",
             slash ? (int)(slash - samples) + 1 : 0, samples);
    if (csv_open(path, &reader))
        return;
    while (!csv_next(reader, &record))
        if (record.n == 3)
            take_fact(b, record.field[1], record.field[2]);
    csv_close(reader);
}

int gate_baseline_read(const char *path, struct cells *cells,
                       struct gate_baseline *out, char *why, size_t why_size)
{
    char samples[PATH_ROOM];
    struct stat st;

    *out = (struct gate_baseline){.cpu = ""};
    snprintf(samples, sizeof samples, "%.4000s%s", path,
             !stat(path, &st) && S_ISDIR(st.st_mode) ? "/samples.csv" : "");
    snprintf(why, why_size, "%s", samples);
    int err = read_rows(samples, cells, why, why_size);

    if (!err)
        read_environment(samples, out);
    return err;
}

static int differs(const char *key, const char *theirs, char *why,
                   size_t why_size)
{
    char ours[128];

    environment_fact(key, ours, sizeof ours);
    if (!strcmp(theirs, ours))
        return 0;
    snprintf(why, why_size,
             "the baseline is of another machine: %s was \"%.60s\", is "
             "\"%.60s\"",
             key, theirs[0] ? theirs : "not recorded", ours);
    return 1;
}

void gate_baseline_excuse(const struct gate_baseline *b,
                          const struct gate_rule *rule, char *why,
                          size_t why_size)
{
    why[0] = 0;
    if (rule->tier == GATE_PAIRED)
        snprintf(why, why_size,
                 "times of another session cannot be compared: use "
                 "--baseline-build, --baseline-ref or --baseline-library");
    else if (rule->of_machine)
        (void)(differs("cpu", b->cpu, why, why_size) ||
               differs("libc", b->libc, why, why_size));
    else if (!strcmp(rule->meter, "memory"))
        (void)differs("thp", b->thp, why, why_size);
}
