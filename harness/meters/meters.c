/* meters.c - the table of all meters, and how their values leave the child.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "meter.h"

extern const struct meter meter_time, meter_memory, meter_leak, meter_latency,
    meter_check;

const struct meter *const meters[] = {
    &meter_time, &meter_memory, &meter_leak, &meter_latency, &meter_check, NULL,
};

const struct meter *meter_find(const char *name)
{
    for (size_t i = 0; meters[i]; i++)
        if (!strcmp(meters[i]->name, name))
            return meters[i];
    return NULL;
}

/* A pipe takes a line whole or not at all; a lost one is seen by the runner,
 * which waits for the closing line. */
static void put_line(int fd, const char *line, int length)
{
    if (length > 0 && write(fd, line, (size_t)length) < 0)
        _exit(4);
}

void emit_value(const struct run_context *run, const char *metric,
                const char *at, const char *unit, double value)
{
    char line[192];

    put_line(run->result_fd, line,
             snprintf(line, sizeof line, "%s\t%s\t%s\t%.17g\n", metric, at,
                      unit, value));
}

void emit_note(const struct run_context *run, const char *format, ...)
{
    char text[160], line[192];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_line(run->result_fd, line, snprintf(line, sizeof line, "#%s\n", text));
}
