/* server_sim.h - what the files of the server-sim workload share.
 *
 *   server_sim.c          knobs, phases, the loop in virtual time, the end
 *   server_sim_sizes.c    sizes of blocks, from a profile; births
 *   server_sim_request.c  requests: blocks that die together
 *   server_sim_store.c    the cache and the sessions: blocks that stay
 *
 * A *lane* is one thread with its requests in flight, its sessions and its
 * shard of the cache; lanes share nothing.  Only messages cross: blocks that
 * one lane sends to another, which frees them when it next runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SERVER_SIM_H
#define HEAPYARD_SERVER_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet_profiles.h"
#include "random.h"
#include "workload.h"

/* Knobs, in the order of their table (server_sim.c). */
enum server_knob {
    KNOB_PROFILE,
    KNOB_SPREAD,
    KNOB_HEAP,
    KNOB_REQUESTS,
    KNOB_OBJECTS,
    KNOB_STEPS,
    KNOB_INFLIGHT,
    KNOB_TEMPORARY,
    KNOB_LIFO,
    KNOB_BUFFERS,
    KNOB_GROWS,
    KNOB_GROWTH,
    KNOB_BUFFER_MAX,
    KNOB_ZEROED,
    KNOB_ALIGNED,
    KNOB_LOOKUPS,
    KNOB_ZIPF,
    KNOB_KEYS,
    KNOB_ENTRY,
    KNOB_EVICT,
    KNOB_TOUCH,
    KNOB_TOUCH_MAX,
    KNOB_SESSIONS,
    KNOB_SESSION_OBJECTS,
    KNOB_SESSION_REQUESTS,
    KNOB_CROSS,
    KNOB_STEADY,
    KNOB_DRAIN,
    KNOB_SECOND,
    KNOB_IDLE,
    KNOB_PEAK_LOAD,
    KNOB_QUIET_LOAD,
    KNOB_WARM_TIME, /* the six shares of requests stand together */
    KNOB_STEADY_TIME,
    KNOB_PEAK_TIME,
    KNOB_DRAIN_TIME,
    KNOB_SECOND_TIME,
    KNOB_IDLE_TIME,
    KNOB_LEAVE,
    KNOB_COUNT
};

enum {
    ENTRY_BLOCKS = 3,      /* at most, of a cache entry: key, value, node */
    SESSION_BLOCKS = 16,   /* at most, of a session */
    REQUEST_BLOCKS = 4096, /* at most, of a request */
    NO_ENTRY = -1
};

struct block {
    uint64_t object;
    uint32_t size; /* bytes, as requested */
};

/* Blocks in a row that grows. */
struct block_list {
    struct block *block; /* [capacity], the first `count` in use */
    uint32_t count, capacity;
};

struct request {
    struct block_list kept;      /* until the request ends; in order of birth */
    struct block_list temporary; /* until its next step */
    uint32_t to_make;            /* blocks still to allocate */
    uint32_t steps_left;         /* the last one ends it */
    uint32_t grows_left;         /* of its buffer, kept.block[0] */
    uint32_t size_before; /* of the buffer, before it last grew; 0 = it did
                             not grow yet */
};

struct entry {
    struct block block[ENTRY_BLOCKS];
    uint32_t count;
    uint32_t key;
    int32_t newer, older; /* neighbours by use, or NO_ENTRY */
};

/* Entries stand in entry[0 .. count - 1] without gaps.  A key k is cached iff
 * slot_of_key[k] != NO_ENTRY, and then entry[slot_of_key[k]].key == k. */
struct cache {
    struct entry *entry;  /* [capacity] */
    int32_t *slot_of_key; /* [server.keys] */
    uint32_t count, capacity;
    int32_t newest, oldest;
};

struct session {
    struct block block[SESSION_BLOCKS];
    uint32_t count;
};

struct lane {
    uint32_t thread;
    struct request *request; /* [server.request_slots] */
    uint32_t *idle_request;  /* stack of those not in flight */
    uint32_t idle_requests;
    struct cache cache;
    struct session *session; /* [capacity], the first `count` open */
    uint32_t sessions, session_capacity;
    struct block_list inbox; /* blocks sent here to be freed */
    int64_t cross_debt;      /* frees that should have crossed, less those
                                that did, times CROSS_UNIT */
    double leave_debt; /* blocks that should have been left, less those that
                          were */
};

enum { CROSS_UNIT = 1000000 };

/* A row of the profile as it is drawn: a size of min .. max. */
struct size_row {
    uint32_t min, max;
};

struct sizes {
    struct size_row row[FLEET_ROWS];
    double profile_mix[FLEET_ROWS]; /* shares of all births; sum 1 */
    double live_mix[FLEET_ROWS];    /* shares of what stays; sum 1 */
    struct alias request; /* draws rows for what dies with a request */
    struct alias stay;    /* draws rows by live_mix */
};

/* Odds of yes-or-no knobs (random_odds). */
struct server_odds {
    uint64_t spread, temporary, lifo, buffer, zeroed, special, touch;
    uint64_t session_end;
};

struct server {
    const double *knob; /* [KNOB_COUNT] */
    struct op_feed *feed;
    struct random random;
    struct sizes sizes;
    struct server_odds odds; /* special: zeroed or aligned */
    struct alias popularity; /* of the keys of one lane */
    struct lane *lane;       /* [lanes] */
    uint32_t lanes;
    uint32_t keys;           /* of one lane's shard */
    uint32_t request_slots;  /* in flight in one lane, at most */
    uint64_t stay_bytes;     /* in all caches and sessions */
    uint64_t stay_target;    /* what stay_bytes should be now … */
    uint64_t tolerance;      /* … give or take so many bytes */
    uint32_t session_target; /* open sessions of one lane, now */
    int64_t cross_rate;      /* share of frees that cross, times CROSS_UNIT */
    int err;                 /* ENOMEM, or 0 */
};

/* How many frees the share that crosses threads must be behind before blocks
 * of this kind are sent away: responses go first. */
enum patience {
    PATIENCE_RESPONSE = 0,
    PATIENCE_STORE = 64,
    PATIENCE_TEMPORARY = 256
};

/* server_sim_sizes.c */

/* Read the profile: all of sizes but the two tables to draw from. */
void sizes_read_profile(struct server *);
/* Mean size, and mean square of it, in bytes and bytes^2. */
double sizes_mean(const struct server *, const double mix[FLEET_ROWS]);
double sizes_mean_square(const struct server *, const double mix[FLEET_ROWS]);
/* Make the tables to draw from, such that requests and what stays together
 * have the profile's mix; `stay` is the share (0 .. 1) of births that stay.
 * Returns 0 or ENOMEM; sizes_free in any case. */
int sizes_init(struct server *, double stay);
void sizes_free(struct sizes *);

uint32_t sizes_draw_request(struct server *);
uint32_t sizes_draw_stay(struct server *);

/* Allocate a block of that size: plain, zeroed or aligned. */
struct block block_make(struct server *, const struct lane *, uint32_t size);

/* Append a block.  On ENOMEM, server->err is set and nothing appended. */
void block_list_add(struct server *, struct block_list *, struct block);

/* End the life of block[n], in this order: in this lane or in another. */
void blocks_release(struct server *, struct lane *, const struct block block[],
                    uint32_t n, enum patience patience);

/* Free what other lanes sent. */
void lane_take_inbox(struct server *, struct lane *);

/* server_sim_request.c */

void request_start(struct server *, struct request *);
/* Take the request one step further; true when it has ended. */
bool request_step(struct server *, struct lane *, struct request *);

/* server_sim_store.c */

int store_init(struct server *, struct lane *); /* 0 or ENOMEM */
void store_free(struct lane *);

/* A request uses the store: looks keys up, inserts those it misses, and
 * visits a session. */
void store_visit(struct server *, struct lane *);

/* Bring cache and sessions to their targets. */
void store_follow_targets(struct server *, struct lane *);

/* Give up to n sessions or entries up; a share of KNOB_LEAVE of the blocks
 * stays allocated.  False when nothing is left. */
bool store_close(struct server *, struct lane *, uint32_t n);

#endif
