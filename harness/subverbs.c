/* subverbs.c - a verb that has verbs of its own: `heapyard trace info`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "subverbs.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"

static void print_help(const struct subverbs *s, FILE *to)
{
    fprintf(to, "Usage: heapyard %s VERB %s\n%s\n\n", s->of, s->operands,
            s->about);
    for (size_t i = 0; i < s->n; i++)
        fprintf(to, "  %-11s %s\n", s->verbs[i].name, s->verbs[i].help);
    fprintf(to, "\nExamples:\n%s\nheapyard %s VERB --help says more.\n",
            s->examples, s->of);
}

static int run_verb(const struct subverbs *s, const struct subverb *verb,
                    int argc, char **argv)
{
    char name[64];

    snprintf(name, sizeof name, "heapyard %s %s", s->of, verb->name);
    argv[1] = name;
    return verb->run(argc - 1, argv + 1);
}

/* "info, provenance, check or dump" */
static void print_names(const struct subverbs *s, FILE *to)
{
    for (size_t i = 0; i < s->n; i++)
        fprintf(to, "%s%s", s->verbs[i].name,
                i + 2 < s->n   ? ", "
                : i + 1 < s->n ? " or "
                               : "");
}

int subverbs_run(const struct subverbs *s, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(word, s->verbs[i].name))
            return run_verb(s, &s->verbs[i], argc, argv);
    if (!strcmp(word, "--help") || !strcmp(word, "-?")) {
        print_help(s, stdout);
        return EXIT_GOOD;
    }
    if (*word) {
        fprintf(stderr, "heapyard %s: no verb is called \"%s\" (want ", s->of,
                word);
        print_names(s, stderr);
        fputs(")\n\n", stderr);
    }
    print_help(s, stderr);
    return EXIT_USAGE;
}
