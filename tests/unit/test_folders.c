/* test_folders.c - results never go where others are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <string.h>
#include <unistd.h>

#include "folders.h"
#include "scratch.h"

enum { NAMES = 5, ROOM = 256 };

/* Most of them fall into one second. */
Test(folders, each_name_is_new)
{
    struct scratch scratch;
    char name[NAMES][ROOM];

    scratch_open(&scratch);
    cr_assert_eq(chdir(scratch.dir), 0);
    for (size_t i = 0; i < NAMES; i++) {
        folder_name("churn", name[i], sizeof name[i]);
        cr_assert_neq(access(name[i], F_OK), 0, "%s is there", name[i]);
        cr_assert_eq(make_folders(name[i]), 0);
    }
    for (size_t i = 1; i < NAMES; i++)
        cr_assert_neq(strcmp(name[i - 1], name[i]), 0);
    for (size_t i = 0; i < NAMES; i++)
        rmdir(name[i]);
    rmdir("results/out");
    rmdir("results");
    scratch_close(&scratch);
}
