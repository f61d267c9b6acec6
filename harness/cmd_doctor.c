/* cmd_doctor.c - `heapyard doctor`: look at the machine before measuring.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <stdio.h>

#include "commands.h"
#include "doctor.h"

static const struct argp_option options[] = {
    {"out", 'o', "FOLDER", 0, "where results will go (default: results/out)",
     0},
    {0},
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    const char **out = state->input;

    if (key != 'o')
        return ARGP_ERR_UNKNOWN;
    *out = arg;
    return 0;
}

static const struct argp argp = {
    options,
    parse_opt,
    NULL,
    "Look at the machine before measuring on it; takes a second.\v"
    "A line a check: ok; note, which moves figures but leaves comparisons of "
    "one session sound; or bad, while which figures are worth little: then the "
    "exit code is 3.  `heapyard bench` names what is bad before it starts."
    "\n\nExamples:\n"
    "  heapyard doctor\n"
    "  heapyard doctor --out /tmp/results\n"
    "  HEAPYARD_ROOT=copy heapyard doctor   (copy/proc and copy/sys of "
    "another\n                                        machine)",
    NULL,
    NULL,
    NULL};

static const char *const words[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_BAD] = "bad"};

static void print(const struct doctor_check *c, const struct doctor_finding *f)
{
    printf("%-5s %-16s %s\n", words[f->verdict], c->name, f->found);
    if (f->verdict == DOCTOR_OK)
        return;
    printf("%-5s %-16s   why: %s\n", "", "", c->why);
    if (f->todo[0])
        printf("%-5s %-16s   do:  %s\n", "", "", f->todo);
}

int cmd_doctor(int argc, char **argv)
{
    const char *out = "results/out";
    unsigned count[3] = {0};
    struct doctor d;

    argp_parse(&argp, argc, argv, 0, NULL, &out);
    doctor_open(&d, doctor_root(), out, 1000);
    for (size_t t = 0; doctor_tables[t]; t++)
        for (const struct doctor_check *c = doctor_tables[t]; c->name; c++) {
            struct doctor_finding f;

            doctor_look(&d, c, &f);
            print(c, &f);
            count[f.verdict]++;
        }
    printf("\n%u ok, %u to note, %u bad%s\n", count[DOCTOR_OK],
           count[DOCTOR_NOTE], count[DOCTOR_BAD],
           count[DOCTOR_BAD] ? ": figures taken now are worth little" : "");
    return count[DOCTOR_BAD] ? EXIT_INFRA : EXIT_GOOD;
}
