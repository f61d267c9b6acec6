/* cache_server.c - a server with a cache, whose requests are timed.
 *
 * Every thread serves requests, one after the other.  A request
 *   - is parsed: the key's text, headers and a tree of terms are allocated;
 *   - belongs to a session, which it makes, adds a line to, or ends;
 *   - gets, puts, deletes or scans, with a key of a Zipf distribution, in the
 *     thread's own cache or, now and then, in one that all threads share under
 *     a lock (cache_store.h); a get that misses puts;
 *   - is answered by a list of pieces with copies of what was found.
 * Then what was parsed and the answer are dropped.
 *
 * So there are three lifetimes: of a request, of a session (some tens of
 * requests), and of an entry, which least recent use ends.  The cache is full
 * before the first request is timed.  Old objects are stored into all the
 * time, by the list of last use.
 *
 * It models the latency of a server that leaves its memory to a collector, or
 * does not: the harness times each request.  It models no input or output and
 * no queue of requests, the sizes of values do not depend on their keys, and
 * the buckets never grow.  What the threads find in the shared cache depends on
 * how they run; all else follows from the seed.
 *
 * Invariants: what is got is what was put; a session has a line for each of
 * its requests; cache_store_is_right in the end.
 *
 * Sources: Zipf keys with exponent 0.99: B. Cooper et al., "Benchmarking Cloud
 * Serving Systems with YCSB", SoCC 2010.  Keys of 16 to 79 bytes and values
 * that are mostly small with a long tail: B. Atikoglu et al., "Workload
 * Analysis of a Large-Scale Key-Value Store", SIGMETRICS 2012.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache_store.h"
#include "random.h"
#include "workload.h"

enum {
    KNOB_CACHE,
    KNOB_KEYS,
    KNOB_ZIPF,
    KNOB_REQUESTS,
    KNOB_PUTS,
    KNOB_DELETES,
    KNOB_SCANS,
    KNOB_SHARED,
    KNOB_HEADERS,
    KNOB_TERMS,
    KNOB_SESSIONS,
    KNOB_SESSION_REQUESTS
};
enum {
    VALUE_MIN = 32,      /* bytes; each doubling is half as likely, … */
    VALUE_DOUBLINGS = 9, /* … up to 32 KiB */
    SCAN_ENTRIES = 32,
    TOKEN_BYTES = 32,
    STATUS_BYTES = 48
};

/* clang-format off */
static const struct knob cache_server_knobs[] = {
[KNOB_CACHE] = {"cache", "bytes", 16 << 20, 4096, 0x1p40,
    "of entries in the cache of each thread, and in the shared one", NULL},
[KNOB_KEYS] = {"keys", "keys", 100000, 1, 0x1p30,
    "that requests ask for", NULL},
[KNOB_ZIPF] = {"zipf", "1", 0.99, 0, 4,
    "exponent of the keys' popularity", NULL},
[KNOB_REQUESTS] = {"requests", "requests", 200000, 1, 1e12,
    "of each thread, at scale 1", NULL},
[KNOB_PUTS] = {"puts", "%", 10, 0, 100,
    "of the requests", NULL},
[KNOB_DELETES] = {"deletes", "%", 3, 0, 100,
    "of the requests", NULL},
[KNOB_SCANS] = {"scans", "%", 2, 0, 100,
    "of the requests list the entries used last; the others get", NULL},
[KNOB_SHARED] = {"shared", "%", 10, 0, 100,
    "of the requests go to the cache that threads share", NULL},
[KNOB_HEADERS] = {"headers", "headers", 8, 0, 1000,
    "of a request, three objects each", NULL},
[KNOB_TERMS] = {"terms", "levels", 3, 0, 16,
    "of a request's tree of terms, below its root", NULL},
[KNOB_SESSIONS] = {"sessions", "sessions", 1000, 1, 1e8,
    "at a time, of each thread", NULL},
[KNOB_SESSION_REQUESTS] = {"session-requests", "requests", 20, 1, 1e6,
    "of a session, on average", NULL},
{.name = NULL},
};
/* clang-format on */

struct header {
    void *next;
    void *name, *value; /* leaves */
    uint32_t name_bytes, value_bytes;
};

struct term {
    void *left, *right;
    uint64_t value;
};

struct session {
    void *token;       /* leaf */
    void *log;         /* chunks: what was asked for, the last first */
    uint64_t requests; /* so far */
    uint64_t requests_left;
};

static const bool header_pointers[] = {true, true, true, false};
static const bool term_pointers[] = {true, true, false};
static const bool session_pointers[] = {true, true, false, false};

/* What all threads share. */
struct common {
    struct cache_shapes cache;
    struct native_shape header, term, session;
    struct alias keys;
    uint64_t put_odds, delete_odds, scan_odds, shared_odds;
    pthread_mutex_t lock;      /* protects what follows */
    struct cache_store *store; /* a root */
    unsigned running;          /* threads that have not ended */
};

struct server {
    struct native *n;
    struct common *common;
    struct cache_store *own;
    void **sessions; /* an object of the heap */
    uint64_t session_count;
    unsigned headers, terms;
    double session_requests;
    struct random random;
    uint64_t rendered; /* a sum over all answers, so that they are read */
};

/* One request; its lists are complete up to where memory ran out. */
struct request {
    struct cache_store *store;
    uint64_t key;
    char *text; /* leaf: the key's */
    uint64_t text_bytes;
    struct header *headers;
    struct term *terms;
    struct cache_chunk *answer;
    uint64_t sum; /* of what was parsed */
};

/* ---- parsing ---- */

static int parse_key(struct server *s, struct request *r)
{
    char text[CACHE_KEY_MAX];

    r->text_bytes = cache_key_text(r->key, text);
    r->text = native_leaf(s->n, r->text_bytes);
    if (!r->text)
        return ENOMEM;
    memcpy(r->text, text, r->text_bytes);
    return 0;
}

/* A leaf of so many bytes of a letter, in a field of the header. */
static bool fill_field(struct native *n, struct header *header, void **field,
                       uint32_t bytes, int letter)
{
    char *leaf = native_leaf(n, bytes);

    native_store(n, header, field, leaf);
    if (leaf)
        memset(leaf, letter, bytes);
    return leaf != NULL;
}

static int parse_header(struct server *s, struct request *r)
{
    uint64_t bits = random_next(&s->random);
    int letter = 'a' + (int)(bits >> 60);
    struct header *header = native_new(s->n, &s->common->header);

    if (!header)
        return ENOMEM;
    header->name_bytes = 4 + (uint32_t)(bits & 15);
    header->value_bytes = 8 + (uint32_t)(bits >> 4 & 63);
    native_store(s->n, header, &header->next, r->headers);
    r->headers = header;
    r->sum += 2 * (uint64_t)letter;
    return fill_field(s->n, header, &header->name, header->name_bytes,
                      letter) &&
                   fill_field(s->n, header, &header->value, header->value_bytes,
                              letter)
               ? 0
               : ENOMEM;
}

static void drop_terms(struct native *n, struct term *term)
{
    if (!term)
        return;
    drop_terms(n, term->left);
    drop_terms(n, term->right);
    native_drop(n, term, sizeof *term);
}

/* As a parser of expressions does it: operands first. */
static struct term *parse_terms(struct server *s, struct request *r,
                                unsigned depth)
{
    struct term *left = NULL, *right = NULL, *term = NULL;
    bool has_operands = depth == 0;

    if (depth > 0) {
        left = parse_terms(s, r, depth - 1);
        right = left ? parse_terms(s, r, depth - 1) : NULL;
        has_operands = right != NULL;
    }
    if (has_operands)
        term = native_new(s->n, &s->common->term);
    if (!term) {
        if (s->n->memory.dealloc) {
            drop_terms(s->n, left);
            drop_terms(s->n, right);
        }
        return NULL;
    }
    native_store(s->n, term, &term->left, left);
    native_store(s->n, term, &term->right, right);
    term->value = r->key + depth;
    r->sum += term->value;
    return term;
}

static int parse(struct server *s, struct request *r)
{
    int err = parse_key(s, r);

    for (unsigned i = 0; i < s->headers && !err; i++)
        err = parse_header(s, r);
    if (err)
        return err;
    r->terms = parse_terms(s, r, s->terms);
    return r->terms ? 0 : ENOMEM;
}

static uint64_t sum_terms(const struct term *term)
{
    return term ? term->value + sum_terms(term->left) + sum_terms(term->right)
                : 0;
}

/* Of all that was parsed, as it stands in memory. */
static uint64_t sum_request(const struct request *r)
{
    uint64_t sum = sum_terms(r->terms);

    for (const struct header *h = r->headers; h; h = h->next) {
        const unsigned char *name = h->name, *value = h->value;

        sum += (uint64_t)name[0] + value[h->value_bytes - 1];
    }
    return sum;
}

static void drop_request(struct native *n, struct request *r)
{
    if (!n->memory.dealloc)
        return;
    for (struct header *h = r->headers, *next; h; h = next) {
        next = h->next;
        native_drop(n, h->name, h->name_bytes);
        native_drop(n, h->value, h->value_bytes);
        native_drop(n, h, sizeof *h);
    }
    drop_terms(n, r->terms);
    native_drop(n, r->text, r->text_bytes);
    cache_chunks_drop(n, r->answer);
}

/* ---- sessions ---- */

static void drop_session(struct native *n, struct session *session)
{
    if (!n->memory.dealloc || !session)
        return;
    cache_chunks_drop(n, session->log);
    native_drop(n, session->token, TOKEN_BYTES);
    native_drop(n, session, sizeof *session);
}

static struct session *new_session(struct server *s)
{
    struct session *session = native_new(s->n, &s->common->session);
    char *token = session ? native_leaf(s->n, TOKEN_BYTES) : NULL;

    if (!token) {
        native_drop(s->n, session, sizeof *session);
        return NULL;
    }
    memset(token, 't', TOKEN_BYTES);
    native_store(s->n, session, &session->token, token);
    session->requests_left = random_geometric(&s->random, s->session_requests);
    return session;
}

/* A line for each request. */
static bool session_is_right(const struct session *session)
{
    const char *token = session->token;
    uint64_t lines = 0;

    for (const struct cache_chunk *c = session->log; c; c = c->next)
        lines++;
    return lines == session->requests && token && token[0] == 't' &&
           token[TOKEN_BYTES - 1] == 't';
}

/* The request is one of a random session, which may begin or end with it. */
static int enter_session(struct server *s, const struct request *r)
{
    void **place = &s->sessions[random_below(&s->random, s->session_count)];
    struct session *session = *place;

    if (!session) {
        session = new_session(s);
        if (!session)
            return ENOMEM;
        native_store(s->n, s->sessions, place, session);
    }
    struct cache_chunk *line =
        cache_chunk_new(s->n, &s->common->cache, session->log, r->text_bytes);
    if (!line)
        return ENOMEM;
    memcpy(line->data, r->text, r->text_bytes);
    native_store(s->n, session, &session->log, line);
    session->requests++;
    if (--session->requests_left > 0)
        return 0;
    native_store(s->n, s->sessions, place, NULL);
    if (!session_is_right(session))
        return EBADMSG;
    drop_session(s->n, session);
    return 0;
}

/* ---- what is asked for ---- */

static void lock_store(struct server *s, const struct request *r)
{
    if (r->store != s->own)
        pthread_mutex_lock(&s->common->lock);
}

static void unlock_store(struct server *s, const struct request *r)
{
    if (r->store != s->own)
        pthread_mutex_unlock(&s->common->lock);
}

static int answer_bytes(struct server *s, struct request *r, const void *data,
                        uint64_t bytes)
{
    struct cache_chunk *piece =
        cache_chunk_new(s->n, &s->common->cache, r->answer, bytes);

    if (!piece)
        return ENOMEM;
    memcpy(piece->data, data, bytes);
    r->answer = piece;
    return 0;
}

static int answer_value(struct server *s, struct request *r,
                        const struct cache_entry *entry)
{
    uint64_t bytes = 0;
    int err = 0;

    for (const struct cache_chunk *c = entry->value; c && !err; c = c->next) {
        if (!cache_bytes_are_right(r->key, c->data, c->bytes))
            return EBADMSG;
        bytes += c->bytes;
        err = answer_bytes(s, r, c->data, c->bytes);
    }
    return err || bytes == entry->bytes ? err : EBADMSG;
}

static uint64_t draw_value_bytes(struct random *random)
{
    uint64_t bits = random_next(random), low = bits;
    uint64_t bytes = VALUE_MIN;

    for (int i = 0; i < VALUE_DOUBLINGS && (low & 1) == 0; i++, low >>= 1)
        bytes *= 2;
    return bytes + (bits >> 32) % bytes;
}

static int put(struct server *s, const struct request *r)
{
    struct cache_entry *out = NULL;
    struct cache_entry *entry = cache_entry_new(s->n, &s->common->cache, r->key,
                                                draw_value_bytes(&s->random));

    if (!entry)
        return ENOMEM;
    lock_store(s, r);
    cache_store_put(s->n, r->store, entry, &out);
    unlock_store(s, r);
    cache_entries_drop(s->n, out);
    return 0;
}

/* What is found is copied under the lock. */
static int get(struct server *s, struct request *r)
{
    lock_store(s, r);
    struct cache_entry *entry =
        cache_store_find(s->n, r->store, r->key, r->text, r->text_bytes);
    bool is_hit = entry != NULL;
    int err = is_hit ? answer_value(s, r, entry) : 0;
    unlock_store(s, r);
    return is_hit ? err : put(s, r);
}

static void delete (struct server *s, const struct request *r)
{
    struct cache_entry *out = NULL;

    lock_store(s, r);
    cache_store_delete(s->n, r->store, r->key, &out);
    unlock_store(s, r);
    cache_entries_drop(s->n, out);
}

/* The keys of the entries that were used last. */
static int scan(struct server *s, struct request *r)
{
    int err = 0;

    lock_store(s, r);
    const struct cache_entry *entry = cache_store_newest(r->store);
    for (int i = 0; i < SCAN_ENTRIES && entry && !err; i++) {
        char text[CACHE_KEY_MAX];

        err = answer_bytes(s, r, entry->text, cache_key_text(entry->key, text));
        entry = entry->older;
    }
    unlock_store(s, r);
    return err;
}

static int execute(struct server *s, struct request *r)
{
    const struct common *c = s->common;
    uint64_t draw = random_next(&s->random) >> 1;

    if (draw < c->put_odds)
        return put(s, r);
    draw -= c->put_odds;
    if (draw < c->delete_odds) {
        delete (s, r);
        return 0;
    }
    draw -= c->delete_odds;
    return draw < c->scan_odds ? scan(s, r) : get(s, r);
}

/* ---- a request ---- */

/* Read the whole answer, as sending it would. */
static void render(struct server *s, const struct request *r)
{
    for (const struct cache_chunk *c = r->answer; c; c = c->next) {
        const unsigned char *data = c->data;

        s->rendered += c->bytes + data[0];
    }
}

static int handle(struct server *s, struct request *r)
{
    static const char status[STATUS_BYTES] = "200 with what was found";
    int err = parse(s, r);

    if (!err)
        err = enter_session(s, r);
    if (!err)
        err = execute(s, r);
    if (!err)
        err = answer_bytes(s, r, status, STATUS_BYTES);
    if (err)
        return err;
    render(s, r);
    return sum_request(r) == r->sum ? 0 : EBADMSG;
}

static int serve(struct server *s)
{
    struct request r = {.key = alias_draw(&s->common->keys, &s->random)};
    bool is_shared = random_chance(&s->random, s->common->shared_odds);

    r.store = is_shared ? s->common->store : s->own;
    int err = handle(s, &r);
    if (err != EBADMSG)
        drop_request(s->n, &r);
    return err;
}

/* ---- the run ---- */

/* The least popular first. */
static int fill_cache(struct server *s)
{
    struct request r = {.store = s->own};
    int err = 0;

    for (r.key = s->common->keys.n; r.key-- > 0 && !err;)
        err = put(s, &r);
    return err;
}

/* The first thread that comes makes the shared cache. */
static int open_server(struct server *s)
{
    uint64_t limit = (uint64_t)s->n->knobs->v[KNOB_CACHE];
    struct common *common = s->common;

    pthread_mutex_lock(&common->lock);
    if (!common->store)
        common->store = cache_store_new(s->n, &common->cache, limit);
    bool is_open = common->store != NULL;
    pthread_mutex_unlock(&common->lock);
    if (!is_open)
        return ENOMEM;
    s->own = cache_store_new(s->n, &common->cache, limit);
    s->sessions = native_alloc(s->n, s->session_count * sizeof *s->sessions);
    return s->own && s->sessions ? 0 : ENOMEM;
}

/* The last thread that goes checks and drops the shared cache. */
static int close_shared(struct server *s, int err)
{
    struct common *common = s->common;

    pthread_mutex_lock(&common->lock);
    if (--common->running == 0 && common->store && err != EBADMSG) {
        if (cache_store_is_right(common->store))
            cache_store_drop(s->n, common->store);
        else
            err = EBADMSG;
        common->store = NULL;
    }
    pthread_mutex_unlock(&common->lock);
    return err;
}

static bool sessions_are_right(const struct server *s)
{
    for (uint64_t i = 0; i < s->session_count; i++)
        if (s->sessions[i] && !session_is_right(s->sessions[i]))
            return false;
    return true;
}

static int close_server(struct server *s, int err)
{
    if (!err && !(cache_store_is_right(s->own) && sessions_are_right(s)))
        err = EBADMSG;
    err = close_shared(s, err);
    if (err == EBADMSG || !s->n->memory.dealloc)
        return err;
    cache_store_drop(s->n, s->own);
    for (uint64_t i = 0; s->sessions && i < s->session_count; i++)
        drop_session(s->n, s->sessions[i]);
    native_drop(s->n, s->sessions, s->session_count * sizeof *s->sessions);
    return err;
}

static int cache_server_run(struct native *n)
{
    const double *knob = n->knobs->v;
    uint64_t requests = native_scaled(n, knob[KNOB_REQUESTS]);
    struct server s = {
        .n = n,
        .common = n->shared,
        .session_count = (uint64_t)knob[KNOB_SESSIONS],
        .headers = (unsigned)knob[KNOB_HEADERS],
        .terms = (unsigned)knob[KNOB_TERMS],
        .session_requests = knob[KNOB_SESSION_REQUESTS],
    };

    random_seed(&s.random, n->seed);
    int err = open_server(&s);
    if (!err)
        err = fill_cache(&s);
    for (uint64_t i = 0; i < requests && !err; i++) {
        native_begin(n);
        err = serve(&s);
        native_end(n);
    }
    return close_server(&s, err);
}

static int cache_server_prepare(struct native *n, void **shared)
{
    const double *knob = n->knobs->v;
    struct common *c = calloc(1, sizeof *c);
    int err;

    if (!c)
        return ENOMEM;
    err = alias_init_zipf(&c->keys, knob[KNOB_ZIPF], (uint32_t)knob[KNOB_KEYS]);
    if (err)
        goto free_common;
    err = native_roots_add(n, &c->store, &c->store + 1);
    if (err)
        goto free_keys;
    pthread_mutex_init(&c->lock, NULL);
    c->running = n->threads;
    c->put_odds = random_odds(knob[KNOB_PUTS] / 100);
    c->delete_odds = random_odds(knob[KNOB_DELETES] / 100);
    c->scan_odds = random_odds(knob[KNOB_SCANS] / 100);
    c->shared_odds = random_odds(knob[KNOB_SHARED] / 100);
    cache_shapes_init(&n->memory, &c->cache);
    native_shape(&n->memory, sizeof(struct header), header_pointers,
                 &c->header);
    native_shape(&n->memory, sizeof(struct term), term_pointers, &c->term);
    native_shape(&n->memory, sizeof(struct session), session_pointers,
                 &c->session);
    *shared = c;
    return 0;
free_keys:
    alias_free(&c->keys);
free_common:
    free(c);
    return err;
}

static void cache_server_finish(struct native *n)
{
    struct common *c = n->shared;

    native_roots_remove(n, &c->store, &c->store + 1);
    pthread_mutex_destroy(&c->lock);
    alias_free(&c->keys);
    free(c);
}

static int cache_server_check(const struct knob_values *values, char *why,
                              size_t why_size)
{
    const double *knob = values->v;
    double sum = knob[KNOB_PUTS] + knob[KNOB_DELETES] + knob[KNOB_SCANS];

    if (sum <= 100)
        return 0;
    snprintf(why, why_size,
             "cache-server: puts, deletes and scans are %g %% of the requests "
             "(want at most 100)",
             sum);
    return EINVAL;
}

const struct workload cache_server_workload = {
    .name = "cache-server",
    .summary = "a server with a cache, each request timed (10 M ops)",
    .source = "YCSB (SoCC 2010), Atikoglu et al. (SIGMETRICS 2012)",
    .version = 1,
    .knobs = cache_server_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = cache_server_check,
    .prepare = cache_server_prepare,
    .run = cache_server_run,
    .finish = cache_server_finish,
};
