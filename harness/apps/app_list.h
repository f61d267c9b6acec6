/* app_list.h - names of programs and allocators: given, preset, shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_LIST_H
#define HEAPYARD_APP_LIST_H

#include <stddef.h>

struct argp_state;

enum { APP_LIST_MAX = 48 };

struct app_names_list {
    char *name[APP_LIST_MAX + 1]; /* [n], NULL-ended; owned */
    size_t n;
};

/* Add the names of "A,B,...".  Returns 0, EINVAL and why for an empty name,
 * one that is there already, or too many; or ENOMEM. */
int app_names_add(struct app_names_list *, const char *names, char *why,
                  size_t why_size);
/* The same for an argument of the command line, where a fault ends the
 * program. */
void app_names_argument(const struct argp_state *, struct app_names_list *,
                        const char *names);
/* Where nothing was named: all programs that there are, and the allocators of
 * app_arm.h.  Returns 0, or an errno and why. */
int app_names_preset(struct app_names_list *apps, struct app_names_list *arms,
                     char *why, size_t why_size);
void app_names_clear(struct app_names_list *);

/* Print each program with its packages, whether it is installed, and what it
 * does.  Returns 0, or an errno after a message that begins with the verb. */
int app_list_print(const char *verb);

#endif
