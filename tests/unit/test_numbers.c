/* test_numbers.c - what counts as a number, and what does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>

#include "numbers.h"

static const struct {
    const char *in;
    uint64_t min, max;
    int err;
    uint64_t value;
} wholes[] = {
    {"0", 0, 9, 0, 0},
    {"9", 0, 9, 0, 9},
    {"007", 0, 9, 0, 7},
    {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
    {"10", 0, 9, ERANGE, 0},
    {"0", 1, 9, ERANGE, 0},
    {"18446744073709551616", 0, UINT64_MAX, ERANGE, 0},
    {"99999999999999999999999", 0, UINT64_MAX, ERANGE, 0},
    {"", 0, 9, EINVAL, 0},
    {" 1", 0, 9, EINVAL, 0},
    {"1 ", 0, 9, EINVAL, 0},
    {"+1", 0, 9, EINVAL, 0},
    {"-1", 0, UINT64_MAX, EINVAL, 0},
    {"1.0", 0, 9, EINVAL, 0},
    {"1e3", 0, UINT64_MAX, EINVAL, 0},
    {"0x1", 0, 9, EINVAL, 0},
    {"1k", 0, 9, EINVAL, 0},
    {"x", 0, 9, EINVAL, 0},
    {"\xb2", 0, 9, EINVAL, 0},
};

Test(numbers, whole_numbers)
{
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        uint64_t out = 4711;
        int err =
            number_parse(wholes[i].in, wholes[i].min, wholes[i].max, &out);

        cr_expect_eq(err, wholes[i].err, "\"%s\": %d", wholes[i].in, err);
        cr_expect_eq(out, wholes[i].err ? 4711 : wholes[i].value, "\"%s\"",
                     wholes[i].in);
    }
}

static const struct {
    const char *in;
    int err;
    double value;
} reals[] = {
    {"0", 0, 0},          {"1.5", 0, 1.5},      {".5", 0, 0.5},
    {"2.", 0, 2},         {"1e2", 0, 100},      {"1e+2", 0, 100},
    {"25E-1", 0, 2.5},    {"100", 0, 100},      {"100.0001", ERANGE, 0},
    {"1e999", ERANGE, 0}, {"", EINVAL, 0},      {".", EINVAL, 0},
    {".e1", EINVAL, 0},   {"1e", EINVAL, 0},    {"1,5", EINVAL, 0},
    {" 1", EINVAL, 0},    {"1 ", EINVAL, 0},    {"+1", EINVAL, 0},
    {"-1", EINVAL, 0},    {"nan", EINVAL, 0},   {"inf", EINVAL, 0},
    {"0x10", EINVAL, 0},  {"0X1p3", EINVAL, 0},
};

Test(numbers, real_numbers_from_0_to_100)
{
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        double out = -1;
        int err = real_parse(reals[i].in, 0, 100, &out);

        cr_expect_eq(err, reals[i].err, "\"%s\": %d", reals[i].in, err);
        cr_expect_eq(out, reals[i].err ? -1 : reals[i].value, "\"%s\"",
                     reals[i].in);
    }
}

Test(numbers, bounds_of_reals_belong_to_the_range)
{
    double out;

    cr_assert_eq(real_parse("0.0001", 1e-4, 1e4, &out), 0);
    cr_assert_eq(real_parse("10000", 1e-4, 1e4, &out), 0);
    cr_assert_eq(real_parse("0.00009", 1e-4, 1e4, &out), ERANGE);
    cr_assert_eq(real_parse("1e-999", 1e-4, 1e4, &out), ERANGE);
}
