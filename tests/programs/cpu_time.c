/* cpu_time.c - runs a program and appends its CPU time to a file.
 *
 * usage: cpu_time FILE program args
 *
 * One line, in microseconds: user plus system time of the program and of the
 * children it waited for.  (The shell's `times` counts in clock ticks.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _DEFAULT_SOURCE /* wait4 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static long microseconds(struct timeval t)
{
    return t.tv_sec * 1000000L + t.tv_usec;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    const char *library = getenv("CPU_TIME_PRELOAD");

    if (argc < 3)
        return 2;
    pid_t pid = fork();

    if (!pid) {
        if (library)
            setenv("LD_PRELOAD", library, 1);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
        return 3;
    FILE *out = fopen(argv[1], "a");

    if (!out)
        return 3;
    fprintf(out, "%ld\n",
            microseconds(usage.ru_utime) + microseconds(usage.ru_stime));
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
