/* fuzz_app_file.c - the reader of *.app files, on any bytes.
 *
 * Property: what is read has every required text, figures within their range
 * and a command of words; what is refused has a reason that begins with the
 * path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* fmemopen */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_file.h"

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void require_text(const char *text, size_t size)
{
    require(*text && memchr(text, 0, size) != NULL);
}

static void require_app(struct app *app)
{
    char *word[APP_WORDS_MAX];

    require_text(app->summary, sizeof app->summary);
    require_text(app->source, sizeof app->source);
    require_text(app->packages, sizeof app->packages);
    require_text(app->needs, sizeof app->needs);
    require_text(app->program, sizeof app->program);
    require_text(app->command, sizeof app->command);
    require(memchr(app->setup, 0, sizeof app->setup) != NULL);
    require(app->version >= 1 && app->timeout_s >= 1 && app->timeout_s <= 3600);
    require((app->score == APP_SCORE_FILE) == (app->score_unit[0] != 0));
    size_t n = app_words(app->command, word, APP_WORDS_MAX);
    require(n >= 1 && n < APP_WORDS_MAX && !word[n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char path[] = "folder/fuzz.app";
    struct app app;
    char why[1400] = "";

    if (!size)
        return 0;
    FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");
    if (!f)
        return 0;
    int err = app_read(f, path, &app, why, sizeof why);
    fclose(f);
    if (!err) {
        require(!strcmp(app.name, "fuzz"));
        require_app(&app);
    } else {
        require(err == EINVAL || err == EIO);
        require(!strncmp(why, path, strlen(path)));
    }
    return 0;
}
