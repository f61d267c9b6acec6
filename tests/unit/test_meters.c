/* test_meters.c - meters by name, with and without options.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "meter.h"

Test(meters, every_meter_is_in_the_list_of_names_and_found)
{
    const struct meter *found;
    const char *options;
    char why[256];

    for (size_t i = 0; meters[i]; i++) {
        cr_expect(strstr(meter_names(), meters[i]->name), "%s",
                  meters[i]->name);
        cr_expect_eq(meter_find(meters[i]->name), meters[i]);
        cr_assert_eq(
            meter_choose(meters[i]->name, &found, &options, why, sizeof why),
            0);
        cr_expect_eq(found, meters[i]);
        cr_expect_str_eq(options, "");
    }
}

Test(meters, a_meter_without_options_refuses_them)
{
    const struct meter *found;
    const char *options;
    char why[256] = "";

    cr_assert_eq(meter_choose("leak:x=1", &found, &options, why, sizeof why),
                 EINVAL);
    cr_expect_str_eq(why, "meter leak takes no options");
}

Test(meters, a_longer_or_shorter_name_is_another)
{
    const struct meter *found;
    const char *options;
    char why[256] = "";

    cr_expect(!meter_is("times", "time"));
    cr_expect(!meter_is("tim", "time"));
    cr_expect(meter_is("time:", "time"));
    cr_assert_eq(meter_choose("times", &found, &options, why, sizeof why),
                 ENOENT);
    cr_expect(strstr(why, "times"));
}
