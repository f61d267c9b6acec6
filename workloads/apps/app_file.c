/* app_file.c - a real program as a workload, declared in a file.
 *
 * A table says for each key how its value is taken.  Invariant: an app that
 * was read has every required key, and each key once, but for setup, whose
 * lines are joined.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* scandir */

#include "app_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_PRESET_S = 120, TIMEOUT_MAX_S = 3600, VERSION_MAX = 9999 };

struct key {
    const char *name;
    bool is_required;
    /* Take a value; NULL, or what would be right. */
    const char *(*take)(struct app *, const char *value);
    size_t text; /* without take: offset of a text in struct app, its size */
    size_t size;
};

/* ---- values ---- */

/* A whole number of min .. max and nothing else; false if it is not. */
static bool take_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !errno && !*end && *out <= max;
}

static const char *take_version(struct app *a, const char *value)
{
    uint64_t n = 0;

    if (!take_number(value, VERSION_MAX, &n) || n == 0)
        return "1..9999";
    a->version = (uint32_t)n;
    return NULL;
}

static const char *take_timeout(struct app *a, const char *value)
{
    uint64_t n = 0;

    if (!take_number(value, TIMEOUT_MAX_S, &n) || n == 0)
        return "seconds, 1..3600";
    a->timeout_s = (uint32_t)n;
    return NULL;
}

static const char *take_preload(struct app *a, const char *value)
{
    if (strcmp(value, "command") && strcmp(value, "script"))
        return "command or script";
    a->preload = *value == 's' ? APP_PRELOAD_SCRIPT : APP_PRELOAD_COMMAND;
    return NULL;
}

static const char *take_score(struct app *a, const char *value)
{
    const char *unit = value + strlen("file ");

    if (!strcmp(value, "cpu")) {
        a->score = APP_SCORE_CPU;
    } else if (!strcmp(value, "wall")) {
        a->score = APP_SCORE_WALL;
    } else if (!strncmp(value, "file ", strlen("file ")) &&
               (!strcmp(unit, "per_s") || !strcmp(unit, "ns"))) {
        a->score = APP_SCORE_FILE;
        snprintf(a->score_unit, sizeof a->score_unit, "%s", unit);
    } else {
        return "cpu, wall, \"file per_s\" or \"file ns\"";
    }
    return NULL;
}

static const char *take_output(struct app *a, const char *value)
{
    static const char want[] = "same, or \"cksum CRC BYTES\" as of cksum(1)";
    char copy[64], *word[4];
    uint64_t crc = 0;

    if (!strcmp(value, "same"))
        return NULL;
    if (strlen(value) >= sizeof copy)
        return want;
    strcpy(copy, value);
    if (app_words(copy, word, 4) != 3 || strcmp(word[0], "cksum") ||
        !take_number(word[1], UINT32_MAX, &crc) ||
        !take_number(word[2], INT64_MAX, &a->output_bytes))
        return want;
    a->has_cksum = 1;
    a->cksum = (uint32_t)crc;
    return NULL;
}

static const char *take_setup(struct app *a, const char *value)
{
    size_t n = strlen(a->setup);

    if (n + strlen(value) + 2 > sizeof a->setup)
        return "at most 8191 bytes in all";
    snprintf(a->setup + n, sizeof a->setup - n, "%s\n", value);
    return NULL;
}

static const char *take_environment(struct app *a, const char *value)
{
    char copy[APP_TEXT_MAX], *word[APP_WORDS_MAX];

    if (strlen(value) >= sizeof copy)
        return "at most 399 bytes";
    strcpy(copy, value);
    size_t n = app_words(copy, word, APP_WORDS_MAX);
    if (n == APP_WORDS_MAX)
        return "at most 31 words";
    for (size_t i = 0; i < n; i++)
        if (!strchr(word[i], '=') || *word[i] == '=')
            return "NAME=VALUE ...";
    strcpy(a->environment, value);
    return NULL;
}

/* Quotes would look as if they were taken away, and are not. */
static const char *take_command(struct app *a, const char *value)
{
    char copy[APP_TEXT_MAX], *word[APP_WORDS_MAX];

    if (strlen(value) >= sizeof copy)
        return "at most 399 bytes";
    if (strpbrk(value, "'\"\\`"))
        return "words without quotes; put the rest into a file by setup";
    strcpy(copy, value);
    if (app_words(copy, word, APP_WORDS_MAX) == APP_WORDS_MAX)
        return "at most 31 words";
    strcpy(a->command, value);
    return NULL;
}

static const char *take_program(struct app *a, const char *value)
{
    if (strlen(value) >= sizeof a->program || strpbrk(value, "/ \t"))
        return "the name of one program, without a folder";
    strcpy(a->program, value);
    return NULL;
}

#define TEXT(member) offsetof(struct app, member), APP_TEXT_MAX

static const struct key keys[] = {
    {"version", true, take_version, 0, 0},
    {"summary", true, NULL, TEXT(summary)},
    {"source", true, NULL, TEXT(source)},
    {"packages", true, NULL, TEXT(packages)},
    {"needs", true, NULL, TEXT(needs)},
    {"program", true, take_program, 0, 0},
    {"environment", false, take_environment, 0, 0},
    {"setup", false, take_setup, 0, 0},
    {"command", true, take_command, 0, 0},
    {"preload", false, take_preload, 0, 0},
    {"output", true, take_output, 0, 0},
    {"score", true, take_score, 0, 0},
    {"timeout", false, take_timeout, 0, 0},
};
enum { KEYS = sizeof keys / sizeof *keys };

/* ---- lines ---- */

static const char *take(struct app *a, const struct key *key, const char *value)
{
    if (key->take)
        return key->take(a, value);
    if (strlen(value) >= key->size)
        return "at most 399 bytes";
    strcpy((char *)a + key->text, value);
    return NULL;
}

static bool is_key(const char *line, size_t n, const struct key *key)
{
    return strlen(key->name) == n && !memcmp(line, key->name, n);
}

/* Returns NULL, or what is wrong with the line, in why. */
static const char *take_line(struct app *a, char *line, unsigned *seen,
                             char *why, size_t why_size)
{
    char *colon = strchr(line, ':');
    size_t n = colon ? (size_t)(colon - line) : 0;

    for (unsigned i = 0; i < KEYS && colon; i++) {
        const char *value = colon + 1 + (colon[1] == ' ');

        if (!is_key(line, n, &keys[i]))
            continue;
        if (keys[i].take != take_setup) /* whose indentation may matter */
            value += strspn(value, " \t");
        const char *want = !*value ? "a value" : NULL;
        if (!want && (*seen & 1u << i) && keys[i].take != take_setup)
            want = "it once";
        if (!want)
            want = take(a, &keys[i], value);
        *seen |= 1u << i;
        if (!want)
            return NULL;
        snprintf(why, why_size, "%s = %.200s (want %s)", keys[i].name, value,
                 want);
        return why;
    }
    snprintf(why, why_size,
             "\"%.60s\" (want key: value with one of the keys version, "
             "summary, source, packages, needs, program, environment, setup, "
             "command, preload, output, score, timeout)",
             line);
    return why;
}

/* The end of a line: its newline and blanks off.  Returns what is wrong. */
static const char *trim(char *line, size_t got)
{
    if (strlen(line) != got)
        return "a line that holds a NUL byte (want text)";
    if (got + 1 == APP_LINE_MAX && line[got - 1] != '\n')
        return "a line of more than 1022 bytes (want a shorter one)";
    while (got && isspace((unsigned char)line[got - 1]))
        line[--got] = 0;
    for (const char *c = line; *c; c++)
        if (iscntrl((unsigned char)*c) && *c != '\t')
            return "a line that holds a control byte (want text)";
    return NULL;
}

/* As fgets, and says how many bytes it took: a NUL byte would hide some. */
static size_t next_line(FILE *f, char line[APP_LINE_MAX])
{
    size_t n = 0;
    int c = 0;

    while (n + 1 < APP_LINE_MAX && c != '\n' && (c = getc(f)) != EOF)
        line[n++] = (char)c;
    line[n] = 0;
    return n;
}

/* The name becomes a folder: "." and ".." would be others' ones. */
static bool take_name(struct app *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(name), suffix = strlen(APP_SUFFIX);

    if (n > suffix && !strcmp(name + n - suffix, APP_SUFFIX))
        n -= suffix;
    if (n >= sizeof a->name || *name == '.')
        return false;
    snprintf(a->name, sizeof a->name, "%.*s", (int)n, name);
    return true;
}

int app_read(FILE *f, const char *path, struct app *out, char *why,
             size_t why_size)
{
    char line[APP_LINE_MAX], what[APP_LINE_MAX];
    unsigned seen = 0, number = 0;
    size_t got;

    *out = (struct app){.timeout_s = TIMEOUT_PRESET_S};
    if (!take_name(out, path)) {
        snprintf(why, why_size,
                 "%.300s: its name (want at most %d bytes, the first no dot)",
                 path, APP_NAME_MAX - 1);
        return EINVAL;
    }
    while ((got = next_line(f, line))) {
        const char *fault = trim(line, got);

        number++;
        if (!fault && *line && *line != '#')
            fault = take_line(out, line, &seen, what, sizeof what);
        if (fault) {
            snprintf(why, why_size, "%s:%u: %s", path, number, fault);
            return EINVAL;
        }
    }
    if (ferror(f)) {
        snprintf(why, why_size, "%s: cannot be read", path);
        return EIO;
    }
    for (unsigned i = 0; i < KEYS; i++)
        if (keys[i].is_required && !(seen & 1u << i)) {
            snprintf(why, why_size, "%s:%u: the file ends without a line %s: …",
                     path, number, keys[i].name);
            return EINVAL;
        }
    return 0;
}

/* ---- files ---- */

int app_find(const char *name, const char *folder, struct app *out, char *why,
             size_t why_size)
{
    char path[4096];

    if (strchr(name, '/'))
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "%.3000s/%.900s%s", folder, name,
                 APP_SUFFIX);
    FILE *f = fopen(path, "r");
    if (!f) {
        int err = errno;

        snprintf(why, why_size, "%.300s: %s%s", path, strerror(err),
                 err == ENOENT ? " (see: heapyard apps --list)" : "");
        return err;
    }
    int err = app_read(f, path, out, why, why_size);
    fclose(f);
    return err;
}

static int is_app(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name), suffix = strlen(APP_SUFFIX);

    return n > suffix && entry->d_name[0] != '.' &&
           !strcmp(entry->d_name + n - suffix, APP_SUFFIX);
}

int app_names(const char *folder, char ***names)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, is_app, alphasort);

    if (n < 0)
        return errno;
    int err = 0;
    char **list = calloc((size_t)n + 1, sizeof *list);
    for (int i = 0; i < n; i++) {
        size_t length = strlen(entry[i]->d_name) - strlen(APP_SUFFIX);

        if (list && !(list[i] = strndup(entry[i]->d_name, length)))
            err = ENOMEM;
        free(entry[i]);
    }
    free(entry);
    if (!list || err) {
        app_names_free(list);
        return ENOMEM;
    }
    *names = list;
    return 0;
}

void app_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

size_t app_words(char *text, char *word[], size_t max)
{
    size_t n = 0;
    char *rest = NULL;

    for (char *w = strtok_r(text, " \t", &rest); w;
         w = strtok_r(NULL, " \t", &rest)) {
        if (n + 1 == max)
            return max;
        word[n++] = w;
    }
    word[n] = NULL;
    return n;
}

/* ---- cksum(1) ---- */

static uint32_t add_byte(uint32_t sum, unsigned char byte)
{
    sum ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++)
        sum = sum << 1 ^ (sum >> 31 ? 0x04c11db7u : 0);
    return sum;
}

uint32_t app_cksum(uint32_t sum, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        sum = add_byte(sum, p[i]);
    return sum;
}

uint32_t app_cksum_end(uint32_t sum, uint64_t total)
{
    for (; total; total >>= 8)
        sum = add_byte(sum, (unsigned char)total);
    return ~sum;
}
