/* spec_args.c - the options that bench and plan share: every key of a spec.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include "spec_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SPEC = 256, KEY_RESUME, KEY_BASELINE, KEY_FIRST };

static const struct argp_option own_options[] = {
    {"spec", KEY_SPEC, "FILE", 0,
     "read keys from FILE (lines \"workload = churn\"); options after it win",
     1},
    {"allocator", 'a', "NAME|FILE", 0,
     "one more allocator, such as a library of your own, or a malloc lab "
     "solution's .c file",
     1},
    {"out", 'o', "PATH", 0, "where the results go", 1},
};

static const struct argp_option bench_options[] = {
    {"resume", KEY_RESUME, NULL, 0,
     "go on where a stopped bench left off (needs --out)", 1},
    {"baseline", KEY_BASELINE, "NAME", 0,
     "the allocator that ratios relate to (default: system)", 1},
};

static error_t add_allocator(struct argp_state *state, struct spec_list *list,
                             const char *name)
{
    for (unsigned i = 0; i < list->n; i++)
        if (!strcmp(list->item[i], name))
            return 0; /* once is enough: it would be run twice in a block */
    if (list->n == SPEC_LIST_MAX || strlen(name) >= SPEC_NAME_MAX ||
        strpbrk(name, ",\t\n"))
        argp_error(state, "--allocator = %s (want a name or a path)", name);
    else
        snprintf(list->item[list->n++], SPEC_NAME_MAX, "%s", name);
    return 0;
}

/* Those of --allocator, wherever it stood: a list given after it would have
 * taken them away. */
static error_t join_allocators(struct argp_state *state, struct spec_args *a)
{
    for (unsigned i = 0; i < a->more.n; i++)
        add_allocator(state, &a->spec.allocators, a->more.item[i]);
    return 0;
}

/* Beside --resume it says how far to go on, not what is compared. */
static int is_stop_rule(const char *name)
{
    return !strcmp(name, "precision") || !strcmp(name, "budget");
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct spec_args *a = state->input;
    char why[512];

    switch (key) {
    case 'a':
        a->has_spec = 1;
        return add_allocator(state, &a->more, arg);
    case 'o':
        a->out = arg;
        return 0;
    case KEY_SPEC:
        a->has_spec = 1;
        if (spec_read(&a->spec, arg, why, sizeof why))
            argp_error(state, "%s", why);
        return 0;
    case KEY_RESUME:
        a->resume = 1;
        return 0;
    case KEY_BASELINE:
        a->baseline = arg;
        return 0;
    case ARGP_KEY_END:
        return join_allocators(state, a);
    default:
        if (key < KEY_FIRST || key >= KEY_FIRST + SPEC_OPTIONS_MAX)
            return ARGP_ERR_UNKNOWN;
        a->has_spec |= !is_stop_rule(spec_keys[key - KEY_FIRST].name);
        if (spec_set(&a->spec, spec_keys[key - KEY_FIRST].name, arg, why,
                     sizeof why))
            argp_error(state, "--%s", why);
        return 0;
    }
}

static int add_options(struct argp_option *to, int n,
                       const struct argp_option *from, size_t count)
{
    memcpy(to + n, from, count * sizeof *from);
    return n + (int)count;
}

static int add_keys(struct argp_option options[])
{
    int n = 0;

    for (; spec_keys[n].name; n++)
        options[n] = (struct argp_option){.name = spec_keys[n].name,
                                          .key = KEY_FIRST + n,
                                          .arg = spec_keys[n].argument,
                                          .doc = spec_keys[n].help,
                                          .group = 0};
    return add_options(options, n, own_options,
                       sizeof own_options / sizeof *own_options);
}

void spec_args_init(struct spec_args *out)
{
    *out = (struct spec_args){.baseline = "system"};
    spec_init(&out->spec);
}

static int is_without(const char *const without[], const char *name)
{
    for (size_t i = 0; name && without[i]; i++)
        if (!strcmp(without[i], name))
            return 1;
    return 0;
}

void spec_args_argp(struct argp_option options[], const char *const without[],
                    struct argp *out)
{
    struct argp_option all[SPEC_OPTIONS_MAX] = {0};
    const int n = add_keys(all);
    int kept = 0;

    memset(options, 0, SPEC_OPTIONS_MAX * sizeof *options);
    for (int i = 0; i < n; i++)
        if (!is_without(without, all[i].name))
            options[kept++] = all[i];
    *out = (struct argp){.options = options, .parser = parse_opt};
}

void spec_args_parse(int argc, char **argv, const char *doc, int is_bench,
                     struct spec_args *out)
{
    struct argp_option options[SPEC_OPTIONS_MAX] = {0};
    struct argp argp = {.options = options, .parser = parse_opt, .doc = doc};
    int n = add_keys(options);

    if (is_bench)
        add_options(options, n, bench_options,
                    sizeof bench_options / sizeof *bench_options);
    spec_args_init(out);
    argp_parse(&argp, argc, argv, 0, NULL, out);
}
