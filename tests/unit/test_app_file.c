/* test_app_file.c - the reader of *.app files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* fmemopen, asprintf */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app_file.h"
#include "places.h"

#define HEAD                                                                   \
    "# a comment\n"                                                            \
    "version: 1\n"                                                             \
    "summary: sums\n"                                                          \
    "source: here\n"                                                           \
    "packages: one two\n"                                                      \
    "needs: sh\n"                                                              \
    "program: perl\n"
#define TAIL                                                                   \
    "command: perl work.pl\n"                                                  \
    "output: same\n"                                                           \
    "score: cpu\n"

static struct app app;
static char why[1400];

static int read_bytes(const char *text, size_t n)
{
    FILE *f = fmemopen((void *)(uintptr_t)text, n ? n : 1, "r");

    cr_assert(f);
    if (!n)
        (void)getc(f);
    int err = app_read(f, "folder/tiny.app", &app, why, sizeof why);
    fclose(f);
    return err;
}

static int read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

Test(app_file, what_is_declared_is_what_is_read)
{
    cr_assert_eq(read_text(HEAD "setup: if x\nsetup:   then\r\n"
                                "preload: script\ntimeout: 7\n"
                                "environment: A=b C=\n"
                                "command: sh -c x\noutput: cksum 12 34\n"
                                "score: file per_s\n"),
                 0, "%s", why);
    cr_assert_str_eq(app.name, "tiny");
    cr_assert_str_eq(app.summary, "sums");
    cr_assert_str_eq(app.packages, "one two");
    cr_assert_str_eq(app.setup, "if x\n  then\n", "indentation is kept");
    cr_assert_str_eq(app.environment, "A=b C=");
    cr_assert_eq(app.preload, APP_PRELOAD_SCRIPT);
    cr_assert_eq(app.timeout_s, 7);
    cr_assert_eq(app.score, APP_SCORE_FILE);
    cr_assert_str_eq(app.score_unit, "per_s");
    cr_assert(app.has_cksum && app.cksum == 12 && app.output_bytes == 34);
    cr_assert_eq(read_text(HEAD TAIL), 0);
    cr_assert_eq(app.timeout_s, 120);
    cr_assert_eq(app.preload, APP_PRELOAD_COMMAND);
    cr_assert_not(app.has_cksum);
}

Test(app_file, a_wrong_line_is_named_with_its_value_and_what_is_right)
{
    static const struct {
        const char *line, *says;
    } wrong[] = {
        {"version: 0", ":8: version = 0 (want it once)"},
        {"nonsense", ":8: \"nonsense\" (want key: value"},
        {"Summary: x", ":8: \"Summary: x\" (want key: value"},
        {"timeout: 0", ":8: timeout = 0 (want seconds, 1..3600)"},
        {"timeout: 1e3", ":8: timeout = 1e3 (want seconds, 1..3600)"},
        {"timeout: -1", ":8: timeout = -1 (want seconds, 1..3600)"},
        {"timeout:", ":8: timeout =  (want a value)"},
        {"preload: both", ":8: preload = both (want command or script)"},
        {"score: file MB", ":8: score = file MB (want cpu, wall, "},
        {"output: cksum 1", ":8: output = cksum 1 (want same, or "},
        {"output: cksum 1 2 3", ":8: output = cksum 1 2 3 (want same, or "},
        {"output: cksum 4294967296 2", ":8: output = cksum 4294967296 2 (want"},
        {"environment: A", ":8: environment = A (want NAME=VALUE ...)"},
        {"environment: =A", ":8: environment = =A (want NAME=VALUE ...)"},
        {"command: sh -c 'x y'", "(want words without quotes;"},
        {"program: /bin/sh", ":8: program = /bin/sh (want it once)"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *text = NULL;

        cr_assert_gt(asprintf(&text, "%s%s\n" TAIL, HEAD, wrong[i].line), 0);
        cr_expect_eq(read_text(text), EINVAL, "%s is taken", wrong[i].line);
        cr_expect(strstr(why, wrong[i].says), "%s: says %s", wrong[i].line,
                  why);
        cr_expect_eq(strncmp(why, "folder/tiny.app:8: ", 19), 0, "%s", why);
        free(text);
    }
    cr_assert_eq(read_text("version: 0\n"), EINVAL);
    cr_assert(strstr(why, "version = 0 (want 1..9999)"), "%s", why);
    cr_assert_eq(read_text("program: /bin/sh\n"), EINVAL);
    cr_assert(strstr(why, "without a folder"), "%s", why);
}

Test(app_file, each_required_key_is_missed_by_its_name)
{
    static const char whole[] = HEAD TAIL;
    static const char *const keys[] = {"version",  "summary", "source",
                                       "packages", "needs",   "program",
                                       "command",  "output",  "score"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[sizeof whole], want[64];

        strcpy(text, whole);
        snprintf(want, sizeof want, "\n%s:", keys[i]);
        strstr(text, want)[1] = '#';
        cr_expect_eq(read_text(text), EINVAL, "%s is not missed", keys[i]);
        snprintf(want, sizeof want, "ends without a line %s:", keys[i]);
        cr_expect(strstr(why, want), "%s: says %s", keys[i], why);
    }
    cr_assert_eq(read_text(""), EINVAL);
}

Test(app_file, bytes_that_are_no_text_are_refused)
{
    static const char nul[] = HEAD "summary\0: x\n" TAIL;
    char *text = NULL;

    cr_assert_eq(read_bytes(nul, sizeof nul - 1), EINVAL);
    cr_assert(strstr(why, ":8: a line that holds a NUL byte"), "%s", why);
    cr_assert_eq(read_text(HEAD "setup: \033[2J\n" TAIL), EINVAL);
    cr_assert(strstr(why, ":8: a line that holds a control byte"), "%s", why);
    cr_assert_gt(asprintf(&text, HEAD "setup: %02000d\n" TAIL, 0), 0);
    cr_assert_eq(read_text(text), EINVAL);
    cr_assert(strstr(why, ":8: a line of more than 1022 bytes"), "%s", why);
    free(text);
}

/* More lines of set-up than fit are an error, not a script cut short. */
Test(app_file, a_setup_that_is_too_long_is_refused)
{
    char line[900], *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = 0;
    fputs(HEAD, f);
    for (int i = 0; i < 10; i++)
        fprintf(f, "setup: %s\n", line);
    fputs(TAIL, f);
    fclose(f);
    cr_assert_eq(read_text(text), EINVAL);
    cr_assert(strstr(why, "want at most 8191 bytes in all"), "%s", why);
    free(text);
}

Test(app_file, every_program_of_the_project_can_be_read)
{
    char **names;
    size_t n = 0;

    cr_assert_eq(app_names(places_apps(), &names), 0);
    for (; names[n]; n++) {
        cr_expect_eq(app_find(names[n], places_apps(), &app, why, sizeof why),
                     0, "%s", why);
        cr_expect_str_eq(app.name, names[n]);
    }
    cr_assert_geq(n, 12);
    app_names_free(names);
    cr_assert_eq(app_find("nosuch", places_apps(), &app, why, sizeof why),
                 ENOENT);
    cr_assert(strstr(why, "nosuch.app: No such file"), "%s", why);
}

/* What cksum(1) of GNU coreutils prints. */
Test(app_file, checksums_are_those_of_cksum)
{
    static const struct {
        const char *text;
        uint32_t sum;
    } known[] = {
        {"", 4294967295u}, {"123456789", 930766865u}, {"hello\n", 3015617425u}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].text);
        uint32_t sum = app_cksum(0, known[i].text, n / 2);

        sum = app_cksum(sum, known[i].text + n / 2, n - n / 2);
        cr_expect_eq(app_cksum_end(sum, n), known[i].sum, "%s", known[i].text);
    }
}
