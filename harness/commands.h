/* commands.h - the verbs of the program, each `int cmd_x(argc, argv)`.
 *
 * argv[0] is "heapyard VERB"; the value returned is the exit code.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COMMANDS_H
#define HEAPYARD_COMMANDS_H

/* Exit codes of every verb; README.md lists them for users. */
enum exit_code {
    EXIT_GOOD = 0,
    EXIT_BAD_RUNS = 1, /* it ran, but some runs crashed, hung or corrupted */
    EXIT_USAGE = 2,    /* bad arguments, or a bad input file */
    EXIT_INFRA = 3,    /* the world failed: disk full, program missing, … */
    EXIT_STOPPED = 130 /* Ctrl-C: what was finished is kept */
};

int cmd_bench(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_apps(int argc, char **argv);
int cmd_fidelity(int argc, char **argv);
int cmd_gate(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_heap(int argc, char **argv);
int cmd_mdriver(int argc, char **argv);
int cmd_counters(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_replay(int argc, char **argv); /* one run, in this process */

#endif
