/* app_environment.c - the environment in which a real program runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* environ, vasprintf */

#include "app_environment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "places.h"

enum { OWN_MAX = 48 };

/* Dropped from ours: they come back with values of the run. */
static bool is_dropped(const char *variable)
{
    static const char *const prefixes[] = {"LD_PRELOAD=",    "PATH=",
                                           "LC_ALL=",        "HEAPYARD_WITNESS",
                                           "HEAPYARD_METER", "HEAPYARD_PRELOAD",
                                           "HEAPYARD_KNOBS", "HEAPYARD_APPS"};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

/* Make one; n counts them.  Returns 0 or ENOMEM. */
static int put(struct app_environment *e, size_t *n, const char *format, ...)
{
    va_list args;

    if (*n + 1 == OWN_MAX)
        return ENOMEM;
    va_start(args, format);
    int length = vasprintf(&e->own[*n], format, args);
    va_end(args);
    if (length < 0) {
        e->own[*n] = NULL;
        return ENOMEM;
    }
    e->own[++*n] = NULL;
    return 0;
}

static int put_own(struct app_environment *e, const struct app *app,
                   const struct app_arm *arm, const char *meter,
                   const char *witness)
{
    char words[APP_TEXT_MAX], *word[APP_WORDS_MAX];
    const char *path = getenv("PATH");
    size_t n = 0;
    int err =
        put(e, &n, "PATH=/usr/bin:/bin%s%s", path ? ":" : "", path ? path : "");

    err = err ? err : put(e, &n, "LC_ALL=C");
    err = err ? err : put(e, &n, "HEAPYARD_APPS=%s", places_apps());
    err = err ? err : put(e, &n, "HEAPYARD_METER=%s", meter);
    if (arm && !err)
        err = put(e, &n, "HEAPYARD_WITNESS=%s", witness);
    if (arm && !err)
        err = put(e, &n, "HEAPYARD_WITNESS_WANT=%s", arm->want);
    if (arm && !err && app->preload == APP_PRELOAD_SCRIPT)
        err = put(e, &n, "HEAPYARD_PRELOAD=%s", arm->preload);
    if (arm && !err && arm->knobs[0])
        err = put(e, &n, "HEAPYARD_KNOBS=%s", arm->knobs);
    strcpy(words, app->environment);
    size_t count = app_words(words, word, APP_WORDS_MAX);
    for (size_t i = 0; i < count && !err; i++)
        err = put(e, &n, "%s", word[i]);
    return err;
}

int app_environment_open(struct app_environment *e, const struct app *app,
                         const struct app_arm *arm, const char *meter,
                         const char *witness)
{
    size_t n = 0, ours = 0;

    while (environ[ours])
        ours++;
    *e = (struct app_environment){
        .variable = calloc(ours + OWN_MAX + 1, sizeof *e->variable)};
    int err = e->variable ? put_own(e, app, arm, meter, witness) : ENOMEM;
    if (err) {
        app_environment_close(e);
        return err;
    }
    for (size_t i = 0; i < ours; i++)
        if (!is_dropped(environ[i]))
            e->variable[n++] = environ[i];
    for (size_t i = 0; e->own[i]; i++)
        e->variable[n++] = e->own[i];
    return 0;
}

void app_environment_close(struct app_environment *e)
{
    for (size_t i = 0; e->own[i]; i++)
        free(e->own[i]);
    free(e->variable);
    *e = (struct app_environment){0};
}
