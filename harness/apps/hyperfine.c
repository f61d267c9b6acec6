/* hyperfine.c - what hyperfine takes and gives.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hyperfine.h"

#include <errno.h>
#include <jansson.h>

#include "command.h"

int hyperfine_exists(void)
{
    static const char *const argv[] = {"hyperfine", "--version", NULL};

    return !command_run(argv, NULL, COMMAND_STOPS);
}

/* A number of at least 0 by its name; -1 if there is none. */
static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double x = json_is_number(value) ? json_number_value(value) : -1;

    return x >= 0 ? x : -1;
}

/* Returns NULL, or what is wrong. */
static const char *take_result(const json_t *result,
                               struct hyperfine_result *out)
{
    const json_t *times = json_object_get(result, "times");
    const json_t *codes = json_object_get(result, "exit_codes");

    out->n = json_array_size(times);
    out->mean_s = number(result, "mean");
    out->user_s = number(result, "user");
    out->system_s = number(result, "system");
    if (!out->n || out->n > HYPERFINE_RUNS_MAX)
        return "times (want 1..1024 numbers)";
    if (json_array_size(codes) != out->n)
        return "exit_codes (want as many as times)";
    if (out->mean_s < 0 || out->user_s < 0 || out->system_s < 0)
        return "mean, user or system (want numbers)";
    for (size_t i = 0; i < out->n; i++) {
        const json_t *time = json_array_get(times, i);
        const json_t *code = json_array_get(codes, i);

        if (!json_is_number(time) || !(json_number_value(time) > 0))
            return "times (want numbers above 0)";
        out->wall_s[i] = json_number_value(time);
        out->code[i] =
            json_is_integer(code) ? (int)json_integer_value(code) : -1;
    }
    return NULL;
}

int hyperfine_read(const char *path, struct hyperfine_result out[], size_t n,
                   char *why, size_t why_size)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    const json_t *results = json_object_get(root, "results");
    const char *fault = NULL;

    if (!root)
        snprintf(why, why_size, "%.200s:%d: %.120s", path, error.line,
                 error.text);
    else if (json_array_size(results) != n)
        fault = "results (want one a command)";
    for (size_t i = 0; i < n && root && !fault; i++)
        fault = take_result(json_array_get(results, i), &out[i]);
    if (fault)
        snprintf(why, why_size, "%.200s: not what hyperfine writes: %s", path,
                 fault);
    json_decref(root);
    return !root || fault ? EBADMSG : 0;
}

void hyperfine_put_word(FILE *f, const char *word)
{
    fputc('\'', f);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", f);
        else
            fputc(*word, f);
    fputs("' ", f);
}
