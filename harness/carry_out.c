/* carry_out.c - runs a plan for a verb: signals, messages, exit code.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "carry_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exec.h"

static void on_signal(int signal)
{
    (void)signal;
    exec_stop = 1;
}

void carry_out_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL); /* not under nohup */
    action.sa_handler = SIG_IGN; /* a reader that went away, or a size limit,
                                    is an error of write, not our death */
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

static int exit_code(const char *verb, const struct run_config *config,
                     const struct run_counts *counts, int err, const char *why)
{
    size_t rows = counts->done + counts->kept;

    if (err == EINTR) {
        fprintf(stderr,
                "%s: stopped; the rows of %zu of %zu runs are in "
                "%s/samples.csv\n%s: go on with: heapyard %s --resume --out "
                "%s\n",
                verb, rows, config->plan->n, config->folder, verb,
                config->again, config->folder);
        return EXIT_STOPPED;
    }
    if (err) {
        fprintf(stderr, "%s: %s\n", verb, why);
        return err == EINVAL || err == EEXIST || err == EBADMSG ? EXIT_USAGE
                                                                : EXIT_INFRA;
    }
    if (counts->failed)
        fprintf(stderr, "%s: %zu of %zu runs failed; the first: %s\n", verb,
                counts->failed, rows, counts->first_failure);
    return counts->failed ? EXIT_BAD_RUNS : EXIT_GOOD;
}

int carry_out(const char *verb, const struct run_config *config)
{
    struct run_counts counts;
    char why[512] = "";

    carry_out_catch_signals();
    int err = run_plan(config, &counts, why, sizeof why);

    return exit_code(verb, config, &counts, err, why);
}
