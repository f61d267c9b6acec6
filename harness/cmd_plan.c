/* cmd_plan.c - `heapyard plan`: write the list of runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "plan.h"
#include "spec_args.h"

int cmd_plan(int argc, char **argv)
{
    struct spec_args args;
    struct plan plan;
    char why[512];

    spec_args_parse(argc, argv,
                    "Write the list of runs, one line each, in the order of "
                    "execution.\v"
                    "Examples:\n"
                    "  heapyard plan --workload churn --runs 20 > plan.tsv\n"
                    "  heapyard plan --spec quick.spec --out plan.tsv",
                    0, &args);
    if (plan_expand(&args.spec, &plan, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return EXIT_USAGE;
    }
    FILE *f = args.out ? fopen(args.out, "w") : stdout;
    int err = f ? plan_write(&plan, f) : errno;

    if (f && f != stdout && fclose(f) && !err)
        err = errno;
    plan_free(&plan);
    if (err)
        fprintf(stderr, "%s: %s: %s\n", argv[0],
                args.out ? args.out : "standard output", strerror(err));
    return err ? EXIT_INFRA : EXIT_GOOD;
}
