/* main.c - the verbs of the program, in a table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "places.h"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"bench", cmd_bench, "plan, run, stat and report in a row"},
    {"doctor", cmd_doctor, "look at the machine before measuring on it"},
    {"list", cmd_list, "what there is: workloads, traces, allocators, meters"},
    {"plan", cmd_plan, "write the list of runs, one line each"},
    {"run", cmd_run, "carry out a plan: samples.csv"},
    {"stat", cmd_stat, "reduce samples to medians with intervals"},
    {"report", cmd_report, "print the table, draw the charts"},
    {"history", cmd_history, "keep medians of many commits, find changes"},
    {"record", cmd_record, "record the allocations of a program"},
    {"trace", cmd_trace, "look into traces, convert, cut and combine them"},
    {"apps", cmd_apps, "run real programs under allocators"},
    {"fidelity", cmd_fidelity, "compare replays with the real programs"},
    {"gate", cmd_gate, "judge a build or a library against another"},
    {"calibrate", cmd_calibrate, "measure how often the gate is wrong here"},
    {"gc", cmd_gc, "study collectors at every size of heap, or tune one"},
    {"heap", cmd_heap, "look into an allocator's heap, and draw it"},
    {"mdriver", cmd_mdriver, "check and score a malloc lab solution"},
    {"counters", cmd_counters, "which hardware counters can be used here"},
    {"replay", cmd_replay, "one run in this process, for debuggers"},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(FILE *to)
{
    fprintf(to, "Usage: heapyard VERB [OPTION...]\n"
                "Compares memory allocators on real and synthetic "
                "workloads.\n\n");
    for (int i = 0; i < VERBS; i++)
        fprintf(to, "  %-9s %s\n", verbs[i].name, verbs[i].help);
    fprintf(to,
            "\nExamples:\n"
            "  heapyard bench --workload server-sim\n"
            "  heapyard record -o app.hyt -- ./app --its-options\n"
            "  heapyard bench --workload app.hyt --allocators "
            "system,jemalloc\n\n"
            "heapyard VERB --help says more.  Exit codes: 0 good, 1 some runs "
            "failed,\n2 bad arguments or input, 3 the machine failed us, 130 "
            "stopped by Ctrl-C.\n");
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    char name[64];

    argp_err_exit_status = EXIT_USAGE;
    snprintf(name, sizeof name, "heapyard %s", verb->name);
    argv[1] = name;
    int code = verb->run(argc - 1, argv + 1);

    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "%s: standard output: %s\n", name, strerror(errno));
        return code == EXIT_GOOD ? EXIT_INFRA : code;
    }
    return code;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    for (int i = 0; i < VERBS; i++)
        if (!strcmp(word, verbs[i].name))
            return run_verb(&verbs[i], argc, argv);
    if (!strcmp(word, "--version")) {
        printf("heapyard %s (%s)\n", places_version(), places_commit());
        return EXIT_GOOD;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") ||
        !strcmp(word, "help")) {
        print_help(stdout);
        return EXIT_GOOD;
    }
    if (*word)
        fprintf(stderr, "heapyard: no verb is called \"%s\"\n\n", word);
    print_help(stderr);
    return EXIT_USAGE;
}
