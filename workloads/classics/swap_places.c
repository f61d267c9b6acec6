/* swap_places.c - places through which threads swap blocks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "swap_places.h"

#include <errno.h>
#include <stdlib.h>

int swap_places_open(struct native *n, size_t count, struct swap_places *out)
{
    void *_Atomic *place = calloc(count, sizeof *place);
    int err = place ? 0 : ENOMEM;

    if (!err)
        err = native_roots_add(n, (void *)place, (void *)(place + count));
    if (err) {
        free((void *)place);
        return err;
    }
    *out = (struct swap_places){.count = count, .place = place};
    return 0;
}

void swap_places_close(struct native *n, struct swap_places *s)
{
    native_roots_remove(n, (void *)s->place, (void *)(s->place + s->count));
    free((void *)s->place);
}
