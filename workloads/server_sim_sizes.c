/* server_sim_sizes.c - births and deaths of the server-sim's blocks.
 *
 * Two mixes of sizes.  What stays (cache, sessions) is drawn from the
 * profile's *live* mix: share of allocations times lifetime.  What dies with
 * its request is drawn from the rest, that is from
 *
 *     (profile mix - stay * live mix) / (1 - stay)
 *
 * so that all births together have the profile's mix.  Where `stay` is so
 * large that a row becomes negative it is taken as 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server_sim.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BLOCK_SHARE_OF_HEAP = 16, /* no block above heap / 16 */
    CACHE_LINE = 64,          /* bytes */
    PAGE = 4096               /* bytes */
};

void sizes_read_profile(struct server *s)
{
    const struct fleet_row *profile =
        fleet_profiles[(unsigned)s->knob[KNOB_PROFILE]];
    struct sizes *sizes = &s->sizes;
    double limit = s->knob[KNOB_HEAP] / BLOCK_SHARE_OF_HEAP;
    double births = 0, live = 0;

    for (unsigned i = 0; i < FLEET_ROWS; i++) {
        bool fits = (double)profile[i].size <= limit;
        sizes->row[i].min = (uint32_t)fleet_row_min(profile, i);
        sizes->row[i].max = (uint32_t)profile[i].size;
        sizes->profile_mix[i] = fits ? profile[i].share : 0;
        sizes->live_mix[i] = sizes->profile_mix[i] * profile[i].lifetime;
        births += sizes->profile_mix[i];
        live += sizes->live_mix[i];
    }
    for (unsigned i = 0; i < FLEET_ROWS; i++) {
        sizes->profile_mix[i] /= births;
        sizes->live_mix[i] /= live;
    }
}

double sizes_mean(const struct server *s, const double mix[FLEET_ROWS])
{
    double inside = s->knob[KNOB_SPREAD] / 100;
    double mean = 0;

    for (unsigned i = 0; i < FLEET_ROWS; i++) {
        double min = s->sizes.row[i].min, max = s->sizes.row[i].max;
        mean += mix[i] * (inside * (min + max) / 2 + (1 - inside) * max);
    }
    return mean;
}

double sizes_mean_square(const struct server *s, const double mix[FLEET_ROWS])
{
    double inside = s->knob[KNOB_SPREAD] / 100;
    double mean = 0;

    for (unsigned i = 0; i < FLEET_ROWS; i++) {
        double min = s->sizes.row[i].min, max = s->sizes.row[i].max;
        double uniform = (min * min + min * max + max * max) / 3;
        mean += mix[i] * (inside * uniform + (1 - inside) * max * max);
    }
    return mean;
}

int sizes_init(struct server *s, double stay)
{
    struct sizes *sizes = &s->sizes;
    double rest[FLEET_ROWS], sum = 0;

    for (unsigned i = 0; i < FLEET_ROWS; i++) {
        rest[i] = sizes->profile_mix[i] - stay * sizes->live_mix[i];
        rest[i] = rest[i] > 0 ? rest[i] : 0;
        sum += rest[i];
    }
    int err = alias_init(&sizes->stay, sizes->live_mix, FLEET_ROWS);
    if (err)
        return err;
    return alias_init(&sizes->request, sum > 0 ? rest : sizes->profile_mix,
                      FLEET_ROWS);
}

void sizes_free(struct sizes *sizes)
{
    alias_free(&sizes->request);
    alias_free(&sizes->stay);
}

/* Programs have favourite sizes: most draws give the end of their row. */
static uint32_t draw_size(struct server *s, const struct alias *mix)
{
    const struct size_row *row = &s->sizes.row[alias_draw(mix, &s->random)];

    if (!random_chance(&s->random, s->odds.spread))
        return row->max;
    return (uint32_t)random_between(&s->random, row->min, row->max);
}

uint32_t sizes_draw_request(struct server *s)
{
    return draw_size(s, &s->sizes.request);
}

uint32_t sizes_draw_stay(struct server *s)
{
    return draw_size(s, &s->sizes.stay);
}

struct block block_make(struct server *s, const struct lane *lane,
                        uint32_t size)
{
    uint64_t dice = random_next(&s->random) >> 1; /* as random_chance does */
    uint64_t object;

    if (dice < s->odds.zeroed)
        object = feed_zalloc(s->feed, lane->thread, size);
    else if (dice < s->odds.special)
        object = feed_aligned(s->feed, lane->thread, size,
                              size < PAGE ? CACHE_LINE : PAGE);
    else
        object = feed_alloc(s->feed, lane->thread, size);
    return (struct block){object, size};
}

void block_list_add(struct server *s, struct block_list *list,
                    struct block block)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct block *grown =
            realloc(list->block, capacity * sizeof *list->block);
        if (!grown) {
            s->err = ENOMEM;
            return;
        }
        list->block = grown;
        list->capacity = capacity;
    }
    list->block[list->count++] = block;
}

static struct lane *another_lane(struct server *s, const struct lane *lane)
{
    uint64_t step = 1 + random_below(&s->random, s->lanes - 1);

    return &s->lane[(lane->thread + step) % s->lanes];
}

void blocks_release(struct server *s, struct lane *lane,
                    const struct block block[], uint32_t n,
                    enum patience patience)
{
    int64_t due = ((int64_t)patience + (n + 1) / 2) * CROSS_UNIT;

    lane->cross_debt += n * s->cross_rate;
    if (s->lanes > 1 && n > 0 && lane->cross_debt >= due) {
        struct lane *receiver = another_lane(s, lane);
        for (uint32_t i = 0; i < n; i++)
            block_list_add(s, &receiver->inbox, block[i]);
        lane->cross_debt -= (int64_t)n * CROSS_UNIT;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        feed_free(s->feed, lane->thread, block[i].object);
}

void lane_take_inbox(struct server *s, struct lane *lane)
{
    for (uint32_t i = 0; i < lane->inbox.count; i++)
        feed_free(s->feed, lane->thread, lane->inbox.block[i].object);
    lane->inbox.count = 0;
}
