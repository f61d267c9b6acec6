/* meters.c - the table of all meters, and how their values leave the child.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "meter.h"

extern const struct meter meter_time, meter_memory, meter_leak, meter_latency,
    meter_check, meter_simulated, meter_counters, meter_gc, meter_lab;

const struct meter *const meters[] = {
    &meter_time,     &meter_memory,
    &meter_leak,     &meter_latency,
    &meter_check,    &meter_simulated,
    &meter_counters, &meter_gc,
    &meter_lab,      NULL,
};

const struct meter *meter_find(const char *name)
{
    for (size_t i = 0; meters[i]; i++)
        if (!strcmp(meters[i]->name, name))
            return meters[i];
    return NULL;
}

const char *meter_names(void)
{
    return "time, memory, leak, latency, check, simulated, counters, gc, lab";
}

int meter_is(const char *text, const char *name)
{
    size_t n = strlen(name);

    return !strncmp(text, name, n) && (!text[n] || text[n] == ':');
}

int meter_choose(const char *text, const struct meter **out,
                 const char **options, char *why, size_t why_size)
{
    const char *colon = strchr(text, ':');

    for (size_t i = 0; meters[i]; i++) {
        if (!meter_is(text, meters[i]->name))
            continue;
        *out = meters[i];
        *options = colon ? colon + 1 : "";
        if (!colon)
            return 0;
        if (meters[i]->check_options)
            return meters[i]->check_options(*options, why, why_size);
        snprintf(why, why_size, "meter %s takes no options", meters[i]->name);
        return EINVAL;
    }
    snprintf(why, why_size, "no meter is called \"%.40s\"", text);
    return ENOENT;
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

void emit_noted(const struct run_context *run, const char *metric,
                const char *at, const char *unit, double value,
                const char *format, ...)
{
    char text[160], line[384];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_line(run->result_fd, line,
             snprintf(line, sizeof line, "%s\t%s\t%s\t%.17g\t%s\n", metric, at,
                      unit, value, text));
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
