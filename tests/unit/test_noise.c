/* test_noise.c - the kernel's counters of disturbance, from made-up files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "fake_tree.h"
#include "noise.h"

static struct fake_tree tree;
static struct noise before, after;
static struct outcome outcome;

static void set_up(void)
{
    fake_tree_open(&tree);
}

static void tear_down(void)
{
    outcome_free(&outcome);
    fake_tree_close(&tree);
}

TestSuite(noise, .init = set_up, .fini = tear_down);

static double value_of(const char *metric)
{
    for (size_t i = 0; i < outcome.n; i++)
        if (!strcmp(outcome.values[i].metric, metric)) {
            cr_assert_str_eq(outcome.values[i].unit, "ns");
            cr_assert_str_eq(outcome.values[i].at, "");
            return outcome.values[i].value;
        }
    return -1;
}

Test(noise, steal_and_pressure_are_the_difference_of_two_readings)
{
    fake_tree_put(&tree, "proc/stat",
                  "cpu  100 1 200 1000 50 2 3 40 0 0\n"
                  "cpu0 100 1 200 1000 50 2 3 39 0 0\n");
    fake_tree_put(&tree, "proc/pressure/cpu",
                  "some avg10=1.53 avg60=0.87 avg300=0.73 total=1000\n"
                  "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
    noise_read(tree.root, &before);
    cr_assert_eq(before.all, 1396);
    cr_assert_eq(before.idle, 1050);
    cr_assert_eq(before.steal, 40);
    fake_tree_put(&tree, "proc/stat", "cpu  100 1 200 1000 50 2 3 47 0 0\n");
    fake_tree_put(&tree, "proc/pressure/cpu",
                  "some avg10=1.53 avg60=0.87 avg300=0.73 total=1250\n");
    noise_read(tree.root, &after);
    cr_assert_eq(noise_report(&before, &after, &outcome), 0);
    cr_assert_eq(outcome.n, 2);
    cr_assert_eq(value_of("steal"), 7e9 / (double)sysconf(_SC_CLK_TCK));
    cr_assert_eq(value_of("cpu_pressure"), 250e3);
}

Test(noise, what_the_kernel_does_not_tell_is_left_out)
{
    noise_read(tree.root, &before);
    cr_assert_eq(noise_report(&before, &before, &outcome), 0);
    cr_assert_eq(outcome.n, 0);
    fake_tree_put(&tree, "proc/stat",
                  "cpu  100 1 200 1000 50 2 3\n"); /* 2.6.10 */
    fake_tree_put(&tree, "proc/pressure/cpu", "some rubbish\n");
    noise_read(tree.root, &after);
    cr_assert_not(after.has_cpu);
    cr_assert_not(after.has_pressure[PRESSURE_CPU]);
    cr_assert_eq(noise_report(&before, &after, &outcome), 0);
    cr_assert_eq(outcome.n, 0);
}

Test(noise, a_counter_that_goes_back_is_no_disturbance)
{
    fake_tree_put(&tree, "proc/stat", "cpu  0 0 0 0 0 0 0 40 0 0\n");
    noise_read(tree.root, &before);
    fake_tree_put(&tree, "proc/stat", "cpu  0 0 0 0 0 0 0 39 0 0\n");
    noise_read(tree.root, &after);
    cr_assert_eq(noise_report(&before, &after, &outcome), 0);
    cr_assert_eq(value_of("steal"), 0);
}

Test(noise, the_three_pressures_are_kept_apart)
{
    fake_tree_put(&tree, "proc/pressure/memory",
                  "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    fake_tree_put(&tree, "proc/pressure/io",
                  "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n");
    noise_read(tree.root, &after);
    cr_assert_not(after.has_pressure[PRESSURE_CPU]);
    cr_assert_eq(after.pressure_us[PRESSURE_MEMORY], 5);
    cr_assert_eq(after.pressure_us[PRESSURE_IO], 9);
}
