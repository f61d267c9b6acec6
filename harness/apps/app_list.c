/* app_list.c - names of programs and allocators: given, preset, shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include "app_list.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_arm.h"
#include "app_run.h"
#include "places.h"

static int add(struct app_names_list *l, const char *name, size_t n, char *why,
               size_t why_size)
{
    const char *fault = !n                     ? "want a name"
                        : l->n == APP_LIST_MAX ? "want at most 48"
                                               : NULL;

    for (size_t i = 0; i < l->n && !fault; i++)
        if (strlen(l->name[i]) == n && !memcmp(l->name[i], name, n))
            fault = "want it once";
    if (fault) {
        snprintf(why, why_size, "name \"%.*s\" (%s)", (int)(n < 100 ? n : 100),
                 name, fault);
        return EINVAL;
    }
    l->name[l->n] = strndup(name, n);
    return l->name[l->n++] ? 0 : ENOMEM;
}

int app_names_add(struct app_names_list *l, const char *names, char *why,
                  size_t why_size)
{
    int err = 0;

    while (!err) {
        size_t n = strcspn(names, ",");

        err = add(l, names, n, why, why_size);
        if (!names[n])
            break;
        names += n + 1;
    }
    return err;
}

void app_names_argument(const struct argp_state *state,
                        struct app_names_list *l, const char *names)
{
    char why[256];
    int err = app_names_add(l, names, why, sizeof why);

    if (err)
        argp_error(state, "%s", err == EINVAL ? why : strerror(err));
}

int app_names_preset(struct app_names_list *apps, struct app_names_list *arms,
                     char *why, size_t why_size)
{
    char **all = NULL;
    int err = apps->n ? 0 : app_names(places_apps(), &all);

    if (err)
        snprintf(why, why_size, "%.300s: %s", places_apps(), strerror(err));
    for (size_t i = 0; all && all[i] && !err; i++)
        err = add(apps, all[i], strlen(all[i]), why, why_size);
    app_names_free(all);
    if (arms->n)
        return err;
    for (size_t i = 0; app_arm_presets[i] && !err; i++)
        err = add(arms, app_arm_presets[i], strlen(app_arm_presets[i]), why,
                  why_size);
    return err;
}

void app_names_clear(struct app_names_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->name[i]);
    *l = (struct app_names_list){0};
}

int app_list_print(const char *verb)
{
    char **all, why[512], missing[100];
    struct app app;
    int err = app_names(places_apps(), &all);

    if (err) {
        fprintf(stderr, "%s: %s: %s\n", verb, places_apps(), strerror(err));
        return err;
    }
    printf("Real programs (NAME.app in %s; or any FILE.app):\n", places_apps());
    for (size_t i = 0; all[i]; i++) {
        if (app_find(all[i], places_apps(), &app, why, sizeof why)) {
            fprintf(stderr, "%s: %s\n", verb, why);
            err = EINVAL;
            continue;
        }
        app_missing(&app, missing, sizeof missing);
        printf("  %-12s %s\n  %-12s packages: %s (%s%s)\n", app.name,
               app.summary, "", app.packages, *missing ? "missing: " : "",
               *missing ? missing : "installed");
    }
    app_names_free(all);
    return err;
}
