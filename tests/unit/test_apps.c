/* test_apps.c - what hyperfine and the witness wrote, and names of allocators.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* open_memstream */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_arm.h"
#include "app_list.h"
#include "app_memory.h"
#include "app_output.h"
#include "hyperfine.h"
#include "rss.h"
#include "scratch.h"
#include "witness_file.h"

static struct scratch scratch;
static char path[600], why[600];

static void begin(void)
{
    scratch_open(&scratch);
    scratch_path(&scratch, "f", path, sizeof path);
}

static void end(void)
{
    scratch_close(&scratch);
}

TestSuite(apps, .init = begin, .fini = end);

static void write_text(const char *text)
{
    scratch_write(&scratch, "f", text, strlen(text));
}

#define RESULT(times, codes)                                                   \
    "{\"results\": [{\"command\": \"x\", \"mean\": 0.5, \"stddev\": null, "    \
    "\"user\": 0.25, \"system\": 0.125, \"times\": " times                     \
    ", \"exit_codes\": " codes "}]}"

Test(apps, results_of_hyperfine_are_read)
{
    struct hyperfine_result *r = malloc(sizeof *r);

    write_text(RESULT("[0.5, 0.75]", "[0, 139]"));
    cr_assert_eq(hyperfine_read(path, r, 1, why, sizeof why), 0, "%s", why);
    cr_assert_eq(r->n, 2);
    cr_assert_eq(r->wall_s[1], 0.75);
    cr_assert_eq(r->code[1], 139);
    cr_assert_eq(r->user_s + r->system_s, 0.375);
    free(r);
}

Test(apps, what_hyperfine_never_writes_is_refused_with_a_reason)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", ":"},
        {"{\"results\": [", ":1: "},
        {"{}", "results (want one a command)"},
        {"{\"results\": [{}, {}]}", "results (want one a command)"},
        {"{\"results\": [3]}", "times (want"},
        {RESULT("[]", "[]"), "times (want 1..1024 numbers)"},
        {RESULT("[0]", "[0]"), "times (want numbers above 0)"},
        {RESULT("[\"1\"]", "[0]"), "times (want numbers above 0)"},
        {RESULT("[1, 2]", "[0]"), "exit_codes (want as many as times)"},
        {"{\"results\": [{\"mean\": 1, \"user\": -1, \"system\": 0, "
         "\"times\": [1], \"exit_codes\": [0]}]}",
         "mean, user or system"},
    };
    struct hyperfine_result *r = malloc(sizeof *r);

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_text(wrong[i].text);
        cr_expect_eq(hyperfine_read(path, r, 1, why, sizeof why), EBADMSG, "%s",
                     wrong[i].text);
        cr_expect(strstr(why, wrong[i].says), "%s: says %s", wrong[i].text,
                  why);
    }
    cr_assert_eq(hyperfine_read("/nosuch", r, 1, why, sizeof why), EBADMSG);
    free(r);
}

/* Its JSON may hold null for a run: that must not pass for 0. */
Test(apps, a_missing_exit_code_is_no_success)
{
    struct hyperfine_result *r = malloc(sizeof *r);

    write_text(RESULT("[1]", "[null]"));
    cr_assert_eq(hyperfine_read(path, r, 1, why, sizeof why), 0, "%s", why);
    cr_assert_neq(r->code[0], 0);
    free(r);
}

Test(apps, words_come_through_a_shell_as_they_are)
{
    static const char *const words[] = {"plain", "two words",          "it's",
                                        "''",    "$HOME `x` \\ \"q\"", ""};
    char *command = NULL, got[300] = "";
    size_t size;
    FILE *f = open_memstream(&command, &size);

    fputs("printf '%s|' ", f);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hyperfine_put_word(f, words[i]);
    fclose(f);
    f = popen(command, "r");
    cr_assert(fgets(got, sizeof got, f));
    pclose(f);
    free(command);
    cr_assert_str_eq(got, "plain|two words|it's|''|$HOME `x` \\ \"q\"||");
}

Test(apps, the_witness_of_the_program_is_found_among_others)
{
    struct witness w;

    write_text("begin\t7\t/bin/sh\t1\tlibc\t\n"
               "begin\t9\t/usr/bin/prog\t4096\tlibx.so 1\t\n"
               "begin\t10\t/usr/bin/prog\t1\tother\t\n"
               "end\t7\t1\t1\n"
               "end\t9\t900000\t100000\n"
               "end\t9");
    witness_read(path, "prog", &w);
    cr_assert(w.has_begun && w.has_ended);
    cr_assert_eq(w.pid, 9);
    cr_assert_eq(w.baseline, 4096);
    cr_assert_str_eq(w.served_by, "libx.so 1");
    cr_assert_str_eq(w.why, "");
    cr_assert_eq(w.most, 900000);
    witness_read(path, "rog", &w);
    cr_assert_not(w.has_begun);
    witness_read("/nosuch", "prog", &w);
    cr_assert_not(w.has_begun);
}

Test(apps, figures_of_memory_follow_from_samples)
{
    struct app_memory m = {.baseline = 100, .samples = 5, .seconds = 2};
    struct witness w = {
        .has_ended = true, .baseline = 100, .most = 5000, .file = 1000};
    struct outcome o = {.status = STATUS_OK};

    m.held = (struct app_series){.last = 700, .most = 3000, .integral = 4000};
    m.pss = (struct app_series){.last = 800, .most = 3500, .integral = 5000};
    cr_assert_eq(app_memory_report(&m, &w, &o), 0);
    cr_assert_eq(outcome_find(&o, "rss_peak")->value, 3900,
                 "the high-water mark is above all samples");
    cr_assert_eq(outcome_find(&o, "rss_mean")->value, 2000);
    cr_assert_eq(outcome_find(&o, "pss_mean")->value, 2500);
    cr_assert_eq(outcome_find(&o, "rss_end")->value, 700);
    outcome_free(&o);
    m.samples = 0; /* too short a run: nothing is made up */
    m.held.most = 0;
    w.has_ended = false;
    cr_assert_eq(app_memory_report(&m, &w, &o), 0);
    cr_assert_null(outcome_find(&o, "rss_peak"));
    cr_assert_null(outcome_find(&o, "pss_mean"));
    outcome_free(&o);
}

Test(apps, our_own_proportional_memory_can_be_read)
{
    uint64_t bytes = 0;

    cr_assert_eq(rss_shared_out(getpid(), &bytes), 0);
    cr_assert_gt(bytes, 100000);
    cr_assert_neq(rss_shared_out(1 << 30, &bytes), 0);
}

Test(apps, allocators_are_found_by_name_or_refused)
{
    static struct app_arm arm;

    cr_assert_eq(app_arm_find("system", &arm, why, sizeof why), 0);
    cr_assert_str_eq(arm.want, "libc");
    cr_assert_eq(app_arm_find("own", &arm, why, sizeof why), 0);
    cr_assert_str_eq(arm.want, "");
    cr_assert_eq(app_arm_find("slab:mesh=on", &arm, why, sizeof why), 0);
    cr_assert_str_eq(arm.knobs, "mesh=on");
    cr_assert_eq(app_arm_find("/nosuch.so", &arm, why, sizeof why), 0);
    cr_assert_eq(arm.status, STATUS_SKIP);
    cr_assert_eq(app_arm_find("arena", &arm, why, sizeof why), EINVAL);
    cr_assert(strstr(why, "allocator = arena (want system, own"), "%s", why);
    cr_assert_eq(app_arm_find("slabs", &arm, why, sizeof why), EINVAL);
}

Test(apps, lists_of_names_have_each_once)
{
    struct app_names_list l = {0};

    cr_assert_eq(app_names_add(&l, "a,b", why, sizeof why), 0);
    cr_assert_eq(app_names_add(&l, "c", why, sizeof why), 0);
    cr_assert_eq(l.n, 3);
    cr_assert_null(l.name[3]);
    cr_assert_eq(app_names_add(&l, "b", why, sizeof why), EINVAL);
    cr_assert_str_eq(why, "name \"b\" (want it once)");
    cr_assert_eq(app_names_add(&l, "d,,e", why, sizeof why), EINVAL);
    app_names_clear(&l);
}

Test(apps, output_is_summed_and_its_last_words_kept)
{
    char words[40];
    uint64_t bytes;
    uint32_t sum;
    double x;

    write_text("first\nlast words  \n  Warning: Ignoring non-zero exit code.\n"
               " \n");
    app_output_last_line(path, words, sizeof words);
    cr_assert_str_eq(words, "last words");
    cr_assert_eq(app_output_number(path, &x), EBADMSG);
    write_text("123456789");
    cr_assert_eq(app_output_cksum(path, &sum, &bytes), 0);
    cr_assert(sum == 930766865u && bytes == 9);
    cr_assert_eq(app_output_number(path, &x), 0);
    cr_assert_eq(x, 123456789);
    cr_assert_eq(app_output_cksum("/nosuch", &sum, &bytes), ENOENT);
}
