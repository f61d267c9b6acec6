/* spec.c - what to compare: read from a file, from options, or both.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lines.h"
#include "meter.h"
#include "numbers.h"
#include "replay.h"

const struct spec_key spec_keys[] = {
    {"workload", "LIST",
     "workloads, as NAME or NAME:KNOB=VALUE:…, or recorded traces, by name or "
     "as FILE.hyt (default: server-sim,sqlite)"},
    {"allocators", "LIST",
     "backends, known libraries, or paths of libraries (default: null,system,"
     "arena,slab,buddy,pool,jemalloc,mimalloc,tcmalloc,tbbmalloc)"},
    {"threads", "LIST", "numbers of threads, 1..1024 (default: 1)"},
    {"meters", "LIST",
     "what to measure, one run each: see `heapyard list meters` (default: "
     "time,memory,leak)"},
    {"runs", "N",
     "runs of the meters time, latency and gc, 1..1000, or auto: 10; at most "
     "200 with --precision, 1000 with --budget (default: auto)"},
    {"memory-runs", "N",
     "runs of the memory meter, no more than --runs (default: 6)"},
    {"seed", "N", "of the workloads and of the order of runs (default: 1)"},
    {"scale", "F", "multiplies the length of workloads (default: 1)"},
    {"touch", "POLICY",
     "what is written of each block: none, byte, page, line, full "
     "(default: page)"},
    {"window", "OPS",
     "how far threads may run ahead of each other, 512.. or 0 for no bound "
     "(default: 2000)"},
    {"timeout", "S", "of one run, in seconds (default: 60)"},
    {"precision", "P%",
     "stop after 6 blocks or more when the 95 % interval of every time ratio "
     "is within +-P % of it (default: none)"},
    {"budget", "TIME",
     "begin no block that would end later than this, as 60s, 5m or 1h "
     "(default: none)"},
    {0},
};

static int is_listed(const struct spec_list *list, const char *item,
                     size_t length)
{
    for (unsigned i = 0; i < list->n; i++)
        if (strlen(list->item[i]) == length &&
            !memcmp(list->item[i], item, length))
            return 1;
    return 0;
}

/* Names that differ: one that stands twice would be run twice in a block. */
static int parse_list(struct spec_list *list, const char *value)
{
    list->n = 0;
    while (*value) {
        size_t n = strcspn(value, ",");
        size_t skip = strspn(value, " \t");
        size_t end = n;

        while (end > skip && isspace((unsigned char)value[end - 1]))
            end--;
        if (end <= skip || end - skip >= SPEC_NAME_MAX ||
            list->n == SPEC_LIST_MAX ||
            is_listed(list, value + skip, end - skip))
            return EINVAL;
        snprintf(list->item[list->n++], SPEC_NAME_MAX, "%.*s",
                 (int)(end - skip), value + skip);
        if (value[n] == ',' && !value[n + 1])
            return EINVAL;
        value += n + (value[n] == ',');
    }
    return list->n ? 0 : EINVAL;
}

/* As every setter: what is refused leaves the spec as it was. */
static int set_list(struct spec_list *list, const char *value)
{
    struct spec_list parsed = {0};
    int err = parse_list(&parsed, value);

    if (!err)
        *list = parsed;
    return err;
}

static int has_control_bytes(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return 1;
    return 0;
}

static int set_threads(struct spec *spec, const char *value)
{
    struct spec_list list;
    uint32_t threads[SPEC_LIST_MAX];
    uint64_t n;

    if (parse_list(&list, value))
        return EINVAL;
    for (unsigned i = 0; i < list.n; i++) {
        if (number_parse(list.item[i], 1, OP_MAX_THREADS, &n))
            return EINVAL;
        threads[i] = (uint32_t)n;
        for (unsigned k = 0; k < i; k++)
            if (threads[k] == threads[i])
                return EINVAL;
    }
    memcpy(spec->threads, threads, list.n * sizeof *threads);
    spec->nthreads = list.n;
    return 0;
}

/* Their options are checked with the plan, which can say what is wrong. */
static int is_meter_name(const char *text)
{
    for (size_t i = 0; meters[i]; i++)
        if (meter_is(text, meters[i]->name))
            return 1;
    return 0;
}

static int set_meters(struct spec *spec, const char *value)
{
    struct spec_list list = {0};

    if (parse_list(&list, value))
        return EINVAL;
    for (unsigned i = 0; i < list.n; i++)
        if (!is_meter_name(list.item[i]))
            return EINVAL;
    spec->meters = list;
    return 0;
}

static int set_u32(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t n;

    if (number_parse(value, min, max, &n))
        return EINVAL;
    *out = (uint32_t)n;
    return 0;
}

static int set_window(struct spec *spec, const char *value)
{
    uint32_t n;

    if (set_u32(value, 0, UINT32_MAX, &n) || (n && n < REPLAY_WINDOW_MIN))
        return EINVAL;
    spec->window = n;
    return 0;
}

/* ---- one setter a key ---- */

static int set_workload(struct spec *s, const char *v)
{
    return set_list(&s->workloads, v);
}

static int set_allocators(struct spec *s, const char *v)
{
    return set_list(&s->allocators, v);
}

static int set_runs(struct spec *s, const char *v)
{
    if (!strcmp(v, "auto")) {
        s->runs = 0;
        return 0;
    }
    return set_u32(v, 1, 1000, &s->runs);
}

static int set_memory_runs(struct spec *s, const char *v)
{
    return set_u32(v, 1, 1000, &s->memory_runs);
}

static int set_seed(struct spec *s, const char *v)
{
    return number_parse(v, 0, UINT64_MAX, &s->seed);
}

static int set_scale(struct spec *s, const char *v)
{
    return real_parse(v, 1e-4, 1e4, &s->scale);
}

static int set_touch(struct spec *s, const char *v)
{
    return touch_parse(v, &s->touch);
}

static int set_timeout(struct spec *s, const char *v)
{
    return set_u32(v, 1, 86400, &s->timeout_s);
}

/* "1.5%" */
static int set_precision(struct spec *s, const char *v)
{
    char number[16];
    size_t n = strlen(v);
    double percent = 0;

    if (strcmp(v, "none") != 0) {
        if (n < 2 || n > sizeof number || v[n - 1] != '%')
            return EINVAL;
        snprintf(number, sizeof number, "%.*s", (int)(n - 1), v);
        if (real_parse(number, 0.1, 50, &percent))
            return EINVAL;
    }
    s->precision = percent / 100;
    return 0;
}

/* Seconds, or a number with a unit. */
static int set_budget(struct spec *s, const char *v)
{
    static const struct {
        const char *name;
        uint32_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
    enum { WEEK = 7 * 24 * 3600 };
    size_t digits = strspn(v, "0123456789");
    char number[16];
    uint64_t n;

    if (!strcmp(v, "none")) {
        s->budget_s = 0;
        return 0;
    }
    if (digits >= sizeof number)
        return EINVAL;
    snprintf(number, sizeof number, "%.*s", (int)digits, v);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(v + digits, units[i].name) &&
            !number_parse(number, 1, WEEK / units[i].seconds, &n)) {
            s->budget_s = (uint32_t)n * units[i].seconds;
            return 0;
        }
    return EINVAL;
}

/* In the order of spec_keys. */
static const struct setter {
    int (*set)(struct spec *, const char *value);
    const char *want;
} setters[] = {
    {set_workload, "different names, separated by commas"},
    {set_allocators, "different names, separated by commas"},
    {set_threads, "different numbers in 1..1024, separated by commas"},
    {set_meters, "names of `heapyard list meters`, each at most once"},
    {set_runs, "1..1000"},
    {set_memory_runs, "1..1000"},
    {set_seed, "0..18446744073709551615"},
    {set_scale, "0.0001..10000"},
    {set_touch, "none, byte, page, line, full"},
    {set_window, "0, or 512..4294967295 operations"},
    {set_timeout, "1..86400 seconds"},
    {set_precision, "0.1%..50%, or none"},
    {set_budget, "1s..168h, as 60s, 5m or 1h, or none"},
};

_Static_assert(sizeof setters / sizeof *setters + 1 ==
                   sizeof spec_keys / sizeof *spec_keys,
               "a setter for every key");

int spec_set(struct spec *spec, const char *key, const char *value, char *why,
             size_t why_size)
{
    for (size_t i = 0; spec_keys[i].name; i++) {
        if (strcmp(spec_keys[i].name, key) != 0)
            continue;
        if (!has_control_bytes(value) && !setters[i].set(spec, value))
            return 0;
        snprintf(why, why_size, "%s = %s (want %s)", key, value,
                 setters[i].want);
        return EINVAL;
    }
    snprintf(why, why_size,
             "no key is called \"%s\" (want one of: workload, "
             "allocators, threads, meters, runs, memory-runs, seed, scale, "
             "touch, window, timeout, precision, budget)",
             key);
    return EINVAL;
}

void spec_init(struct spec *spec)
{
    *spec = (struct spec){.threads = {1},
                          .nthreads = 1,
                          .memory_runs = 6,
                          .seed = 1,
                          .scale = 1.0,
                          .touch = TOUCH_PAGE,
                          .window = REPLAY_WINDOW,
                          .timeout_s = 60};
    set_list(&spec->workloads, "server-sim,sqlite");
    set_list(&spec->allocators,
             "null,system,arena,slab,buddy,pool,jemalloc,mimalloc,tcmalloc,"
             "tbbmalloc");
    set_list(&spec->meters, "time,memory,leak");
}

uint32_t spec_runs(const struct spec *spec)
{
    if (spec->runs)
        return spec->runs;
    return spec->budget_s ? 1000 : spec->precision > 0 ? 200 : 10;
}

/* ---- the file ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text);

    while (n && isspace((unsigned char)text[n - 1]))
        text[--n] = 0;
    return text;
}

static int read_line(struct spec *spec, char *line, char *why, size_t why_size)
{
    char *text = trim(line);

    text[strcspn(text, "#")] = 0;
    text = trim(text);
    if (!*text)
        return 0;
    char *equals = strchr(text, '=');
    if (!equals) {
        snprintf(why, why_size, "\"%.40s\" (want key = value)", text);
        return EINVAL;
    }
    *equals = 0;
    return spec_set(spec, trim(text), trim(equals + 1), why, why_size);
}

int spec_read(struct spec *spec, const char *path, char *why, size_t why_size)
{
    char line[8192], detail[8400];
    FILE *file = fopen(path, "r");
    int err = 0, ended;

    if (!file) {
        err = errno;
        snprintf(why, why_size, "%s: %s", path, strerror(err));
        return err;
    }
    for (unsigned number = 1; !err; number++) {
        err = line_read(file, line, sizeof line, &ended);
        if (err == ENODATA)
            break;
        if (err) {
            snprintf(detail, sizeof detail, "%s", line_fault(err));
            err = err == EIO ? EIO : EINVAL;
        } else {
            err = read_line(spec, line, detail, sizeof detail);
        }
        if (err)
            snprintf(why, why_size, "%s:%u: %s", path, number, detail);
    }
    fclose(file);
    return err == ENODATA ? 0 : err;
}
