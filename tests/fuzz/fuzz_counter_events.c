/* fuzz_counter_events.c - any text after "counters:" is read or refused.
 *
 * What is accepted has events with names that are whole, differ, and hold
 * nothing that would break a row or a list; instructions are among them; what
 * was asked for can be found again in the text.  What is refused comes with a
 * reason that ends in its buffer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "counter_events.h"

enum { TEXT_MAX = 4096, WHY_SIZE = 96 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct counter_list *list, unsigned i,
                        const char *text)
{
    const struct counter_event *e = &list->event[i];

    if (!e->name[0] || !memchr(e->name, 0, sizeof e->name) ||
        !memchr(e->metric, 0, sizeof e->metric) || strpbrk(e->name, ",+\t\n"))
        abort();
    if (counter_events_find(list, e->metric) != (int)i)
        abort();
    if (i && (e->group < e[-1].group || e->group > e[-1].group + 1))
        abort();
    if (e->is_raw && e->name[0] != 'r')
        abort();
    if (strstr(text, "events=") && strcmp(e->name, "instructions") &&
        !strstr(text, e->name))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX], why[WHY_SIZE] = "";
    struct counter_list list;

    if (size >= TEXT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';

    const int err = counter_events_parse(text, &list, why, sizeof why);
    if (err) {
        if (err != EINVAL || !why[0] || !memchr(why, 0, sizeof why))
            abort();
        return 0;
    }
    /* one place is left for an event of the kernel */
    if (list.n < 1 || list.n >= COUNTER_EVENTS_MAX ||
        counter_events_find(&list, "instructions") < 0)
        abort();
    for (unsigned i = 0; i < list.n; i++)
        check_event(&list, i, text);
    return 0;
}
