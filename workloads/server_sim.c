/* server_sim.c - a simulated multi-threaded server.
 *
 * Requests arrive in virtual time (a Poisson process whose rate follows the
 * load), are spread over the lanes, and run in steps; a queue ordered by time
 * says whose turn it is, so requests interleave as in an event loop.  Thread
 * 0 accepts, starts the others and awaits them, and serves like them.
 *
 * The live heap follows a curve: it warms up, is steady, peaks, is drained,
 * peaks again and idles.  In a phase the level of the heap and the load move
 * linearly from those of the phase before, over the first part of the phase.
 * The number of requests scales with the run; the heap does not.
 *
 * Sources: sizes and lifetimes, fleet_profiles.h; phases and deaths in groups,
 * P. Wilson et al., "Dynamic Storage Allocation: A Survey and Critical
 * Review", IWMM 1995; long-lived objects made at the peak, M. Maas et al.,
 * "Learning-based Memory Allocation for C++ Server Workloads", ASPLOS 2020.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server_sim.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    TICKS = 1 << 20,     /* of virtual time, in a mean step of a request */
    ARRIVALS_MIN = 16,   /* of a phase, so that short runs keep its shape */
    SLOTS_OVER_MEAN = 4, /* of requests in flight, most over mean */
    KEYS_MAX = 1 << 28,  /* of a lane */
    SHUTDOWN_BATCH = 16, /* entries that a lane closes in its turn */
    ARRIVAL = UINT16_MAX /* in place of a request: a new one comes */
};

/* Of the keys looked up, the share that is expected to miss: 0.26 to 0.32 is
 * measured with the presets.  It only serves to plan the mix of sizes. */
static const double MISSES_PLANNED = 0.3;

static const char *const growth_names[] = {"both", "double", "half", NULL};
static const char *const evict_names[] = {"lru", "random", NULL};

/* clang-format off */
static const struct knob server_knobs[KNOB_COUNT + 1] = {
[KNOB_PROFILE] = {"profile", "1", 0, 0, 2,
    "sizes and lifetimes: a fleetbench profile", fleet_profile_names},
[KNOB_SPREAD] = {"spread", "%", 40, 0, 100,
    "sizes drawn from inside a row of the profile, not its end", NULL},
[KNOB_HEAP] = {"heap", "bytes", 64 * 0x1p20, 0x1p20, 0x1p34,
    "live bytes at the peak", NULL},
[KNOB_REQUESTS] = {"requests", "events", 80000, 1, 1e9,
    "requests at scale 1", NULL},
[KNOB_OBJECTS] = {"objects", "1", 24, 1, 1000,
    "mean blocks allocated by a request", NULL},
[KNOB_STEPS] = {"steps", "1", 4, 1, 100,
    "mean steps of a request; others run between them", NULL},
[KNOB_INFLIGHT] = {"inflight", "1", 8, 1, 256,
    "mean requests in flight in a thread, at load 1", NULL},
[KNOB_TEMPORARY] = {"temporary", "%", 50, 0, 100,
    "a request's blocks that die before it ends", NULL},
[KNOB_LIFO] = {"lifo", "%", 70, 0, 100,
    "requests whose blocks are freed last in, first out", NULL},
[KNOB_BUFFERS] = {"buffers", "%", 30, 0, 100,
    "requests with a buffer that grows by realloc", NULL},
[KNOB_GROWS] = {"grows", "1", 4, 1, 64,
    "mean reallocs of such a buffer, before its trim", NULL},
[KNOB_GROWTH] = {"growth", "1", 0, 0, 2,
    "how it grows: twofold, 1.5-fold, or one or the other", growth_names},
[KNOB_BUFFER_MAX] = {"buffer-max", "bytes", 0x1p16, 1, 0x1p30,
    "a buffer stops growing there", NULL},
[KNOB_ZEROED] = {"zeroed", "%", 8, 0, 100,
    "allocations by calloc", NULL},
[KNOB_ALIGNED] = {"aligned", "%", 0.5, 0, 100,
    "allocations aligned to 64 bytes, or 4096 if as large", NULL},
[KNOB_LOOKUPS] = {"lookups", "1", 2, 0, 1000,
    "mean keys that a request looks up in the cache", NULL},
[KNOB_ZIPF] = {"zipf", "1", 0.99, 0, 3,
    "Zipf exponent of the keys' popularity; 0 = uniform", NULL},
[KNOB_KEYS] = {"keys", "1", 2, 1.5, 100,
    "keys, over the entries that fit at the peak", NULL},
[KNOB_ENTRY] = {"entry", "1", 3, 1, ENTRY_BLOCKS,
    "blocks of a cache entry, at most", NULL},
[KNOB_EVICT] = {"evict", "1", 0, 0, 1,
    "which entry makes room", evict_names},
[KNOB_TOUCH] = {"touch", "%", 50, 0, 100,
    "cache hits and session visits that write to the block", NULL},
[KNOB_TOUCH_MAX] = {"touch-max", "bytes", 256, 1, 0x1p30,
    "bytes written by a touch, at most", NULL},
[KNOB_SESSIONS] = {"sessions", "%", 10, 0, 100,
    "of the heap in sessions at load 1; at most half of what stays", NULL},
[KNOB_SESSION_OBJECTS] = {"session-objects", "1", 4, 1, SESSION_BLOCKS,
    "mean blocks of a session", NULL},
[KNOB_SESSION_REQUESTS] = {"session-requests", "1", 10, 1, 1e6,
    "mean requests of a session", NULL},
[KNOB_CROSS] = {"cross", "%", 7, 0, 100,
    "frees by another thread than the allocating one", NULL},
[KNOB_STEADY] = {"steady", "%", 70, 1, 100,
    "level of the heap when steady", NULL},
[KNOB_DRAIN] = {"drain", "%", 25, 0, 100,
    "level after the drain", NULL},
[KNOB_SECOND] = {"second", "%", 95, 0, 100,
    "level of the second peak", NULL},
[KNOB_IDLE] = {"idle", "%", 30, 0, 100,
    "level when idle", NULL},
[KNOB_PEAK_LOAD] = {"peak-load", "1", 2, 0.01, 10,
    "requests in flight and sessions at peaks, over steady", NULL},
[KNOB_QUIET_LOAD] = {"quiet-load", "1", 0.2, 0.01, 10,
    "the same, when draining and idle", NULL},
[KNOB_WARM_TIME] = {"warm-time", "1", 10, 0, 100,
    "share of the requests in the warm-up", NULL},
[KNOB_STEADY_TIME] = {"steady-time", "1", 40, 0, 100,
    "the same, when steady", NULL},
[KNOB_PEAK_TIME] = {"peak-time", "1", 15, 0, 100,
    "the same, in the first peak", NULL},
[KNOB_DRAIN_TIME] = {"drain-time", "1", 10, 0, 100,
    "the same, in the drain", NULL},
[KNOB_SECOND_TIME] = {"second-time", "1", 15, 0, 100,
    "the same, in the second peak", NULL},
[KNOB_IDLE_TIME] = {"idle-time", "1", 10, 0, 100,
    "the same, when idle", NULL},
[KNOB_LEAVE] = {"leave", "%", 0, 0, 100,
    "of the blocks live at shutdown: never freed", NULL},
};
/* clang-format on */

static_assert((int)KNOB_COUNT <= (int)KNOBS_MAX, "too many knobs");

/* A knob, or -1 where the figure is fixed at 1 (100 %). */
struct phase {
    const char *name;
    int time, level, load;
    double ramp; /* share of the phase in which level and load move */
};

static const struct phase phases[] = {
    {"warm-up", KNOB_WARM_TIME, KNOB_STEADY, -1, 1},
    {"steady", KNOB_STEADY_TIME, KNOB_STEADY, -1, 0},
    {"peak", KNOB_PEAK_TIME, -1, KNOB_PEAK_LOAD, 0.5},
    {"drain", KNOB_DRAIN_TIME, KNOB_DRAIN, KNOB_QUIET_LOAD, 0.5},
    {"second-peak", KNOB_SECOND_TIME, KNOB_SECOND, KNOB_PEAK_LOAD, 0.5},
    {"idle", KNOB_IDLE_TIME, KNOB_IDLE, KNOB_QUIET_LOAD, 0.5},
};

enum { PHASES = sizeof phases / sizeof phases[0] };

/* Where the server stands between phases. */
struct weather {
    double level; /* of the heap: 0 .. 1 */
    double load;
};

static struct weather phase_weather(const struct phase *phase,
                                    const double knob[])
{
    return (struct weather){
        .level = phase->level < 0 ? 1 : knob[phase->level] / 100,
        .load = phase->load < 0 ? 1 : knob[phase->load],
    };
}

/* The queue of what happens next: a binary heap ordered by time. */
struct happening {
    uint64_t time;
    uint32_t lane;
    uint32_t request; /* or ARRIVAL */
};

struct queue {
    struct happening *at; /* [capacity]: one arrival and every request slot */
    uint32_t count, capacity;
};

static void queue_push(struct queue *q, struct happening new)
{
    uint32_t i = q->count++;

    assert(q->count <= q->capacity);
    for (; i > 0 && q->at[(i - 1) / 2].time > new.time; i = (i - 1) / 2)
        q->at[i] = q->at[(i - 1) / 2];
    q->at[i] = new;
}

static struct happening queue_pop(struct queue *q)
{
    struct happening first = q->at[0];
    struct happening last = q->at[--q->count];
    uint32_t i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count && q->at[child + 1].time < q->at[child].time)
            child++;
        if (q->at[child].time >= last.time)
            break;
        q->at[i] = q->at[child];
        i = child;
    }
    q->at[i] = last;
    return first;
}

/* A server and its virtual time. */
struct simulation {
    struct server server;
    struct queue queue;
    uint64_t now; /* ticks */
    double load;
};

static uint64_t ticks_draw(struct server *s, double mean)
{
    return (uint64_t)random_exponential(&s->random, mean);
}

static void schedule_arrival(struct simulation *sim)
{
    struct server *s = &sim->server;
    double in_flight = s->knob[KNOB_INFLIGHT] * sim->load * s->lanes;
    double gap = TICKS * s->knob[KNOB_STEPS] / in_flight;
    uint32_t lane = (uint32_t)random_below(&s->random, s->lanes);

    queue_push(&sim->queue, (struct happening){sim->now + ticks_draw(s, gap),
                                               lane, ARRIVAL});
}

static void schedule_step(struct simulation *sim, uint32_t lane,
                          uint32_t request)
{
    uint64_t due = sim->now + ticks_draw(&sim->server, TICKS);

    queue_push(&sim->queue, (struct happening){due, lane, request});
}

/* A request starts in the lane; false if it has as many as it can. */
static bool arrive(struct simulation *sim, uint32_t lane_number)
{
    struct server *s = &sim->server;
    struct lane *lane = &s->lane[lane_number];

    if (lane->idle_requests == 0)
        return false;
    uint32_t request = lane->idle_request[--lane->idle_requests];
    store_follow_targets(s, lane);
    store_visit(s, lane);
    request_start(s, &lane->request[request]);
    schedule_step(sim, lane_number, request);
    return true;
}

static void take_step(struct simulation *sim, uint32_t lane_number,
                      uint32_t request)
{
    struct server *s = &sim->server;
    struct lane *lane = &s->lane[lane_number];

    if (request_step(s, lane, &lane->request[request]))
        lane->idle_request[lane->idle_requests++] = request;
    else
        schedule_step(sim, lane_number, request);
}

/* Let one thing happen; true if it was the arrival of a request. */
static bool happen(struct simulation *sim)
{
    struct happening next = queue_pop(&sim->queue);

    sim->now = next.time;
    lane_take_inbox(&sim->server, &sim->server.lane[next.lane]);
    if (next.request != ARRIVAL) {
        take_step(sim, next.lane, next.request);
        return false;
    }
    bool has_arrived = arrive(sim, next.lane);
    schedule_arrival(sim);
    return has_arrived;
}

static bool is_running(const struct simulation *sim)
{
    return !sim->server.err && !sim->server.feed->err;
}

static double between(double from, double to, double progress)
{
    return from + (to - from) * progress;
}

/* What requests in flight hold on average, in bytes: half of what they will
 * have kept. */
static double in_flight_bytes(const struct server *s, double load)
{
    double kept = 1 - s->knob[KNOB_TEMPORARY] / 100;

    return s->lanes * s->knob[KNOB_INFLIGHT] * load * s->knob[KNOB_OBJECTS] *
           kept / 2 * sizes_mean(s, s->sizes.profile_mix);
}

static void set_targets(struct simulation *sim, double level, double load)
{
    struct server *s = &sim->server;
    double heap = s->knob[KNOB_HEAP];
    double stay = level * heap - in_flight_bytes(s, load);
    double session_bytes =
        s->knob[KNOB_SESSION_OBJECTS] * sizes_mean(s, s->sizes.live_mix);
    double sessions =
        heap * s->knob[KNOB_SESSIONS] / 100 * load / session_bytes;

    stay = stay > 0 ? stay : 0;
    if (sessions * session_bytes > stay / 2)
        sessions = stay / 2 / session_bytes;
    sim->load = load;
    s->stay_target = (uint64_t)stay;
    s->session_target = (uint32_t)(sessions / s->lanes);
}

static void run_phase(struct simulation *sim, const struct phase *phase,
                      uint64_t arrivals, struct weather *weather)
{
    struct weather from = *weather;
    struct weather to = phase_weather(phase, sim->server.knob);

    feed_mark(sim->server.feed, 0, phase->name);
    for (uint64_t i = 0; i < arrivals && is_running(sim);) {
        double progress = (double)(i + 1) / (double)arrivals;
        progress = progress < phase->ramp ? progress / phase->ramp : 1;
        set_targets(sim, between(from.level, to.level, progress),
                    between(from.load, to.load, progress));
        while (is_running(sim) && !happen(sim))
            continue;
        i++;
    }
    *weather = to;
}

static void run_phases(struct simulation *sim, double scale)
{
    const double *knob = sim->server.knob;
    struct weather weather = {0, 0};
    double time = 0;

    for (int i = 0; i < PHASES; i++)
        time += knob[phases[i].time];
    set_targets(sim, 0, 1); /* for the first arrival */
    schedule_arrival(sim);
    for (int i = 0; i < PHASES; i++) {
        double share = knob[phases[i].time] / time;
        uint64_t arrivals =
            (uint64_t)(share * knob[KNOB_REQUESTS] * scale + 0.5);
        if (share == 0)
            continue;
        run_phase(sim, &phases[i],
                  arrivals < ARRIVALS_MIN ? ARRIVALS_MIN : arrivals, &weather);
    }
}

/* Let the requests in flight end; no more arrive. */
static void finish_requests(struct simulation *sim)
{
    while (sim->queue.count > 0 && is_running(sim)) {
        struct happening next = queue_pop(&sim->queue);
        sim->now = next.time;
        if (next.request != ARRIVAL)
            take_step(sim, next.lane, next.request);
    }
    for (uint32_t i = 0; i < sim->server.lanes; i++)
        lane_take_inbox(&sim->server, &sim->server.lane[i]);
}

/* The lanes take turns, so that a replay can run them side by side. */
static void shut_down(struct simulation *sim)
{
    struct server *s = &sim->server;
    bool has_more = true;

    finish_requests(sim);
    feed_mark(s->feed, 0, "shutdown");
    while (has_more && is_running(sim)) {
        has_more = false;
        for (uint32_t i = 0; i < s->lanes; i++) {
            lane_take_inbox(s, &s->lane[i]);
            has_more |= store_close(s, &s->lane[i], SHUTDOWN_BATCH);
        }
    }
    for (uint32_t i = 0; i < s->lanes; i++)
        lane_take_inbox(s, &s->lane[i]);
}

/* The bytes by which the heap rises in all phases together. */
static double heap_rises(const double knob[])
{
    double level = 0, rises = 0;

    for (int i = 0; i < PHASES; i++) {
        if (knob[phases[i].time] == 0)
            continue;
        double next = phase_weather(&phases[i], knob).level;
        rises += next > level ? next - level : 0;
        level = next;
    }
    return rises * knob[KNOB_HEAP];
}

/* The share of births that will stay, as far as one can tell beforehand. */
static double plan_stay(const struct server *s, double scale)
{
    double requests = s->knob[KNOB_REQUESTS] * scale;
    double stay = heap_rises(s->knob) / sizes_mean(s, s->sizes.live_mix) +
                  requests * s->knob[KNOB_LOOKUPS] * MISSES_PLANNED *
                      (1 + s->knob[KNOB_ENTRY]) / 2 +
                  requests / s->knob[KNOB_SESSION_REQUESTS] *
                      s->knob[KNOB_SESSION_OBJECTS];

    return stay / (stay + requests * s->knob[KNOB_OBJECTS]);
}

static struct server_odds plan_odds(const double knob[])
{
    return (struct server_odds){
        .spread = random_odds(knob[KNOB_SPREAD] / 100),
        .temporary = random_odds(knob[KNOB_TEMPORARY] / 100),
        .lifo = random_odds(knob[KNOB_LIFO] / 100),
        .buffer = random_odds(knob[KNOB_BUFFERS] / 100),
        .zeroed = random_odds(knob[KNOB_ZEROED] / 100),
        .special = random_odds((knob[KNOB_ZEROED] + knob[KNOB_ALIGNED]) / 100),
        .touch = random_odds(knob[KNOB_TOUCH] / 100),
        .session_end = random_odds(1 / knob[KNOB_SESSION_REQUESTS]),
    };
}

static int lane_init(struct server *s, struct lane *lane, uint32_t thread)
{
    lane->thread = thread;
    lane->request = calloc(s->request_slots, sizeof *lane->request);
    lane->idle_request = calloc(s->request_slots, sizeof *lane->idle_request);
    if (!lane->request || !lane->idle_request)
        return ENOMEM;
    for (uint32_t i = 0; i < s->request_slots; i++)
        lane->idle_request[lane->idle_requests++] = i;
    return store_init(s, lane);
}

static void lane_free(const struct server *s, struct lane *lane)
{
    for (uint32_t i = 0; lane->request && i < s->request_slots; i++) {
        free(lane->request[i].kept.block);
        free(lane->request[i].temporary.block);
    }
    free(lane->request);
    free(lane->idle_request);
    free(lane->inbox.block);
    store_free(lane);
}

/* The figures that follow from the knobs. */
static void server_plan(struct server *s, unsigned threads)
{
    const double *knob = s->knob;
    double load = knob[KNOB_PEAK_LOAD] > 1 ? knob[KNOB_PEAK_LOAD] : 1;

    sizes_read_profile(s);
    double block_bytes = sizes_mean(s, s->sizes.live_mix);
    double entry_bytes = block_bytes * (1 + knob[KNOB_ENTRY]) / 2;
    double entries = knob[KNOB_HEAP] / entry_bytes;

    s->odds = plan_odds(knob);
    s->lanes = threads;
    double keys = 64 + entries * knob[KNOB_KEYS] / threads;
    s->keys = (uint32_t)(keys < KEYS_MAX ? keys : KEYS_MAX);
    s->request_slots =
        (uint32_t)(knob[KNOB_INFLIGHT] * load * SLOTS_OVER_MEAN) + 4;
    /* What filling up to a level overshoots it by, on average: the mean
     * residual life of a renewal process (W. Feller, vol. 2, ch. XI.4). */
    s->tolerance =
        (uint64_t)(sizes_mean_square(s, s->sizes.live_mix) / (2 * block_bytes));
    s->cross_rate = (int64_t)(knob[KNOB_CROSS] / 100 * CROSS_UNIT);
}

static int simulation_init(struct simulation *sim, unsigned threads,
                           double scale)
{
    struct server *s = &sim->server;

    server_plan(s, threads);
    int err = sizes_init(s, plan_stay(s, scale));
    if (!err)
        err = alias_init_zipf(&s->popularity, s->knob[KNOB_ZIPF], s->keys);
    if (err)
        return err;
    sim->queue.capacity = s->lanes * s->request_slots + 1;
    sim->queue.at = malloc(sim->queue.capacity * sizeof *sim->queue.at);
    s->lane = calloc(s->lanes, sizeof *s->lane);
    if (!sim->queue.at || !s->lane)
        return ENOMEM;
    for (uint32_t i = 0; i < s->lanes && !err; i++)
        err = lane_init(s, &s->lane[i], i);
    return err;
}

static void simulation_free(struct simulation *sim)
{
    struct server *s = &sim->server;

    for (uint32_t i = 0; s->lane && i < s->lanes; i++)
        lane_free(s, &s->lane[i]);
    free(s->lane);
    free(sim->queue.at);
    alias_free(&s->popularity);
    sizes_free(&s->sizes);
}

static int server_compose(const struct knob_values *values, uint64_t seed,
                          unsigned threads, double scale, struct op_feed *feed)
{
    struct simulation sim = {.server = {.knob = values->v, .feed = feed}};

    random_seed(&sim.server.random, seed);
    int err = simulation_init(&sim, threads, scale);
    if (!err) {
        for (unsigned thread = 1; thread < threads; thread++)
            feed_spawn(feed, 0, thread);
        run_phases(&sim, scale);
        shut_down(&sim);
        for (unsigned thread = 1; thread < threads; thread++)
            feed_join(feed, 0, thread);
        err = sim.server.err ? sim.server.err : feed->err;
    }
    simulation_free(&sim);
    return err;
}

static int server_check(const struct knob_values *values, char *why,
                        size_t why_size)
{
    const double *knob = values->v;
    double time = 0;

    for (int i = 0; i < PHASES; i++)
        time += knob[phases[i].time];
    if (time <= 0) {
        snprintf(why, why_size,
                 "server-sim: warm-time .. idle-time = 0 (want one above 0)");
        return EINVAL;
    }
    if (knob[KNOB_ZEROED] + knob[KNOB_ALIGNED] > 100) {
        snprintf(why, why_size,
                 "server-sim: zeroed + aligned = %g (want 0..100 %%)",
                 knob[KNOB_ZEROED] + knob[KNOB_ALIGNED]);
        return EINVAL;
    }
    return 0;
}

const struct workload server_sim_workload = {
    .name = "server-sim",
    .summary = "a server: requests, cache, sessions, load peaks (6 M ops)",
    .source = "Google fleetbench's profiles; Wilson et al. 1995; LLAMA 2020",
    .version = 1,
    .knobs = server_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = server_check,
    .compose = server_compose,
};
