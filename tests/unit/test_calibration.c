/* test_calibration.c - calibration.csv: there and back, and whose it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calibration.h"
#include "environment.h"

enum { WHY = 512, PATH = 64 };

static struct calibration_row make_row(const char *judge, double injected,
                                       uint32_t called)
{
    struct calibration_row r = {.date = "2026-01-02T03:04:05Z",
                                .kernel = "Linux \"6\", x86_64",
                                .workload = "churn:objects=9",
                                .allocator = "slab",
                                .metric = "mid_per_op",
                                .injected = injected,
                                .measured = NAN,
                                .margin = 0.01,
                                .trials = 300,
                                .called = called,
                                .open = 3,
                                .share = {called / 300.0, 0.001, 0.5},
                                .seconds = 4.25,
                                .worst_seconds = 61};
    char cpus[16];

    environment_fact("cpu", r.cpu, sizeof r.cpu);
    environment_fact("cpus", cpus, sizeof cpus);
    r.cpus = (uint32_t)atoi(cpus);
    snprintf(r.judge, sizeof r.judge, "%s", judge);
    return r;
}

static void write_file(const char *path, const struct calibration_row rows[],
                       size_t n)
{
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    cr_assert_eq(calibration_write(f, rows, n), 0);
    cr_assert_eq(fclose(f), 0);
}

static void expect_same(const struct calibration_row *a,
                        const struct calibration_row *b)
{
    cr_assert_str_eq(a->date, b->date);
    cr_assert_str_eq(a->cpu, b->cpu);
    cr_assert_str_eq(a->kernel, b->kernel);
    cr_assert_str_eq(a->workload, b->workload);
    cr_assert_str_eq(a->allocator, b->allocator);
    cr_assert_str_eq(a->metric, b->metric);
    cr_assert_str_eq(a->judge, b->judge);
    cr_assert(a->cpus == b->cpus && a->trials == b->trials);
    cr_assert(a->called == b->called && a->open == b->open);
    cr_assert(a->injected == b->injected);
    cr_assert(isnan(a->measured) ? isnan(b->measured)
                                 : a->measured == b->measured);
    cr_assert(isnan(a->margin) ? isnan(b->margin) : a->margin == b->margin);
    cr_assert(!memcmp(&a->share, &b->share, sizeof a->share));
    cr_assert(a->seconds == b->seconds && a->worst_seconds == b->worst_seconds);
}

Test(calibration, rows_read_back_as_they_were)
{
    struct calibration_row rows[3] = {make_row("gate", 0, 1),
                                      make_row("gate", 0.02, 299),
                                      make_row("mann-whitney", 0.02, 20)};
    struct calibration_row got[CALIBRATION_ROWS_MAX];
    char path[] = "/tmp/heapyard-calibration-XXXXXX", why[WHY] = "";
    size_t n;

    rows[0].measured = -0.00012345678901234567; /* it may be faster */
    rows[2].margin = NAN;
    close(mkstemp(path));
    write_file(path, rows, 3);
    cr_assert_eq(calibration_read(path, got, &n, why, WHY), 0, "%s", why);
    cr_assert_eq(n, 3u);
    for (int i = 0; i < 3; i++)
        expect_same(&rows[i], &got[i]);
    unlink(path);
}

Test(calibration, bad_files_are_refused_with_their_place)
{
    struct calibration_row row = make_row("gate", 0, 1);
    struct calibration_row got[CALIBRATION_ROWS_MAX];
    char path[] = "/tmp/heapyard-calibration-XXXXXX", why[WHY] = "";
    size_t n;

    close(mkstemp(path));
    write_file(path, &row, 1);
    FILE *f = fopen(path, "a");
    fputs("2026,cpu,0\n", f);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(calibration_read(path, got, &n, why, WHY), EBADMSG);
    cr_assert_not_null(strstr(why, ":3: "), "%s", why);
    unlink(path);
    cr_assert_eq(calibration_read(path, got, &n, why, WHY), ENOENT);
}

Test(calibration, more_rows_than_there_is_room_for_are_left)
{
    struct calibration_row rows[CALIBRATION_ROWS_MAX + 1];
    struct calibration_row got[CALIBRATION_ROWS_MAX];
    char path[] = "/tmp/heapyard-calibration-XXXXXX", why[WHY] = "";
    size_t n;

    for (int i = 0; i <= CALIBRATION_ROWS_MAX; i++)
        rows[i] = make_row("gate", i / 100.0, 1);
    close(mkstemp(path));
    write_file(path, rows, CALIBRATION_ROWS_MAX + 1);
    cr_assert_eq(calibration_read(path, got, &n, why, WHY), 0, "%s", why);
    cr_assert_eq(n, (size_t)CALIBRATION_ROWS_MAX);
    unlink(path);
}

/* ---- the sentence ---- */

struct folder {
    char path[PATH], file[3][PATH + 16];
};

static struct folder make_folder(void)
{
    static const char *const names[] = {"a.csv", "b.csv", "notes.txt"};
    struct folder f = {.path = "/tmp/heapyard-calibrations-XXXXXX"};

    cr_assert_not_null(mkdtemp(f.path));
    for (int i = 0; i < 3; i++)
        snprintf(f.file[i], sizeof f.file[i], "%s/%s", f.path, names[i]);
    return f;
}

static void drop_folder(const struct folder *f)
{
    for (int i = 0; i < 3; i++)
        unlink(f->file[i]);
    rmdir(f->path);
}

static void put_pair(const char *path, const char *date, uint32_t alarms)
{
    struct calibration_row rows[2] = {make_row("gate", 0, alarms),
                                      make_row("gate", 0.02, 298)};

    snprintf(rows[0].date, sizeof rows[0].date, "%s", date);
    snprintf(rows[1].date, sizeof rows[1].date, "%s", date);
    write_file(path, rows, 2);
}

Test(calibration, the_sentence_has_both_kinds_of_error)
{
    struct folder f = make_folder();
    char sentence[300];

    put_pair(f.file[0], "2026-01-02T03:04:05Z", 1);
    calibration_sentence(f.path, sentence, sizeof sentence);
    cr_assert_str_eq(
        sentence, "on this kind of machine (2026-01-02) 1 of 300 verdicts on a "
                  "program against itself were false alarms, and a slowdown of "
                  "2 % was found in 298 of 300, within 61 s");
    drop_folder(&f);
}

Test(calibration, all_files_speak_together_whatever_their_order)
{
    for (int newest = 0; newest < 2; newest++) {
        struct folder f = make_folder();
        char sentence[300];

        put_pair(f.file[newest], "2026-05-02T03:04:05Z", 7);
        put_pair(f.file[!newest], "2025-12-31T23:59:59Z", 1);
        calibration_sentence(f.path, sentence, sizeof sentence);
        cr_assert_not_null(strstr(sentence, "(2026-05-02) 8 of 600"), "%s",
                           sentence);
        drop_folder(&f);
    }
}

/* One thing that keeps a row from being of this gate on this machine. */
static void spoil(struct calibration_row *r, int how)
{
    switch (how) {
    case 0:
        snprintf(r->cpu, sizeof r->cpu, "Zilog Z80");
        break;
    case 1:
        r->cpus++;
        break;
    case 2:
        snprintf(r->judge, sizeof r->judge, "mann-whitney");
        break;
    default:
        snprintf(r->metric, sizeof r->metric, "sim_instructions");
    }
}

Test(calibration, of_another_machine_judge_or_metric_nothing_is_said)
{
    for (int how = 0; how < 4; how++) {
        struct folder f = make_folder();
        char sentence[300] = "left over";
        struct calibration_row rows[2] = {make_row("gate", 0, 1),
                                          make_row("gate", 0.02, 298)};

        spoil(&rows[how & 1], how);
        write_file(f.file[0], rows, 2);
        calibration_sentence(f.path, sentence, sizeof sentence);
        cr_assert_str_eq(sentence, "", "case %d: %s", how, sentence);
        drop_folder(&f);
    }
}

Test(calibration, no_folder_no_file_and_a_bad_file_say_nothing)
{
    struct folder f = make_folder();
    char sentence[300] = "left over";

    calibration_sentence("/nonexistent", sentence, sizeof sentence);
    cr_assert_str_eq(sentence, "");
    put_pair(f.file[2], "2026-01-02T03:04:05Z", 1); /* no .csv */
    calibration_sentence(f.path, sentence, sizeof sentence);
    cr_assert_str_eq(sentence, "");
    FILE *bad = fopen(f.file[0], "w");
    fputs("no,table\n1,2\n", bad);
    fclose(bad);
    put_pair(f.file[1], "2026-01-02T03:04:05Z", 1);
    calibration_sentence(f.path, sentence, sizeof sentence);
    cr_assert_not_null(strstr(sentence, "1 of 300"), "a bad file beside: %s",
                       sentence);
    drop_folder(&f);
}
