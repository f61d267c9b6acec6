/* spool.c - reads what the recorder left and plays it as operations.
 *
 * Opening maps both files of an image and chains the chunks of each thread:
 * those of the spool in file order, then the one that is still in a buffer.
 * Playing merges the threads by time stamp (a heap of threads, each with its
 * next record decoded) and turns addresses into object numbers.
 *
 * A resize is played in two steps, as it was stamped: at the first stamp the
 * old address is given up, at the second the block appears at the new one.
 * Between them another thread may have been given the old address.
 *
 * Invariant: whatever the files hold, the stream is well-formed, and every
 * read lies within the mapped chunk: chunk_is_valid() and record_read() are
 * the only places that trust nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _DEFAULT_SOURCE /* madvise */

#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address_map.h"

enum {
    RAW_THREADS = 65536, /* thread numbers the recorder may have given out */
    NO_LANE = UINT16_MAX,
    FORGET_STEP = 1 << 24 /* bytes */
};

#define NO_CHUNK  UINT32_MAX
#define NO_OBJECT UINT64_MAX

struct chunk {
    const struct spool_buffer *at;
    uint32_t next; /* of the same thread, or NO_CHUNK */
};

/* A thread: its chunks. */
struct lane {
    uint32_t first, last;
    uint64_t next_sequence;
};

struct mapped {
    const char *at;
    size_t size;
    bool is_ours; /* to unmap */
};

struct spool {
    struct trace_source source; /* first: play casts back */
    struct mapped spool, bufs;
    struct spool_about about;
    const struct spool_header *header;
    struct chunk *chunk; /* [nchunks] */
    uint32_t nchunks, capacity;
    struct lane lane[OP_MAX_THREADS];
    unsigned nlanes;
    uint16_t lane_of[RAW_THREADS]; /* raw thread number to lane */
    uint64_t cut_bytes;            /* at the end of the spool, no whole chunk */
    uint64_t lost_chunks;          /* holes in the sequence numbers */
    struct spool_counts *counts;   /* of the last play */
};

static int refuse(char *why, size_t why_size, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, why_size, format, args);
    va_end(args);
    return err;
}

/* ---- memory ---- */

/* Drop the pages that lie wholly in [from, from + size) from our memory: they
 * are the file's, and come back when they are read again.  So a long spool is
 * read in bounded memory. */
static void forget(const struct mapped *m, const void *from, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)from + page - 1) / page * page;
    uintptr_t last = ((uintptr_t)from + size) / page * page;

    if (m->is_ours && first < last)
        madvise((void *)first, last - first, MADV_DONTNEED);
}

static bool is_in_spool(const struct spool *s, const void *p)
{
    return (const char *)p >= s->spool.at &&
           (const char *)p < s->spool.at + s->spool.size;
}

/* ---- the index of chunks ---- */

/* Whether a whole chunk stands at the start of the `room` bytes at b. */
static bool chunk_is_valid(const struct spool_buffer *b, size_t room)
{
    return room >= SPOOL_HEAD && b->magic == SPOOL_BUFFER_MAGIC &&
           b->used <= SPOOL_WORDS && b->used <= (room - SPOOL_HEAD) / 8;
}

static int chunk_append(struct spool *s, struct lane *lane,
                        const struct spool_buffer *b)
{
    if (s->nchunks == s->capacity) {
        uint32_t capacity = s->capacity ? s->capacity * 2 : 64;
        struct chunk *bigger =
            capacity < NO_CHUNK / 2
                ? realloc(s->chunk, capacity * sizeof *bigger)
                : NULL;

        if (!bigger)
            return ENOMEM;
        s->chunk = bigger;
        s->capacity = capacity;
    }
    s->chunk[s->nchunks] = (struct chunk){b, NO_CHUNK};
    if (lane->last == NO_CHUNK)
        lane->first = s->nchunks;
    else
        s->chunk[lane->last].next = s->nchunks;
    lane->last = s->nchunks++;
    return 0;
}

/* Take a chunk in, unless it was already: the recorder may be killed after
 * writing a buffer and before emptying it. */
static int chunk_add(struct spool *s, const struct spool_buffer *b)
{
    if (b->thread >= RAW_THREADS)
        return E2BIG;
    if (s->lane_of[b->thread] == NO_LANE) {
        if (s->nlanes == OP_MAX_THREADS)
            return E2BIG;
        s->lane[s->nlanes] = (struct lane){NO_CHUNK, NO_CHUNK, 0};
        s->lane_of[b->thread] = (uint16_t)s->nlanes++;
    }
    struct lane *lane = &s->lane[s->lane_of[b->thread]];

    if (b->sequence < lane->next_sequence)
        return 0;
    s->lost_chunks += b->sequence - lane->next_sequence;
    lane->next_sequence = b->sequence + 1;
    s->about.bytes += b->used * sizeof b->records[0];
    return chunk_append(s, lane, b);
}

static int index_spool(struct spool *s)
{
    size_t at = 0, forgotten = 0;

    while (at < s->spool.size) {
        const void *p = s->spool.at + at;
        const struct spool_buffer *b = p;

        if (!chunk_is_valid(b, s->spool.size - at))
            break;
        int err = chunk_add(s, b);

        if (err)
            return err;
        at += SPOOL_HEAD + b->used * sizeof b->records[0];
        if (at - forgotten >= FORGET_STEP) {
            forget(&s->spool, s->spool.at + forgotten, at - forgotten);
            forgotten = at;
        }
    }
    s->cut_bytes = s->spool.size - at;
    return 0;
}

static int index_bufs(struct spool *s)
{
    for (size_t at = SPOOL_BLOCK; at < s->bufs.size; at += SPOOL_BLOCK) {
        const void *p = s->bufs.at + at;
        const struct spool_buffer *b = p;
        int err = 0;

        if (chunk_is_valid(b, s->bufs.size - at) && b->used)
            err = chunk_add(s, b);
        if (err)
            return err;
    }
    return 0;
}

/* A write that a kill cut short has lost nothing if its buffer is there. */
static void forgive_cut(struct spool *s)
{
    const void *p = s->spool.at + (s->spool.size - s->cut_bytes);
    const struct spool_buffer *b = p;

    if (s->cut_bytes < SPOOL_HEAD || b->magic != SPOOL_BUFFER_MAGIC ||
        b->thread >= RAW_THREADS || s->lane_of[b->thread] == NO_LANE)
        return;
    if (s->lane[s->lane_of[b->thread]].next_sequence > b->sequence)
        s->cut_bytes = 0;
}

static bool is_text(const char text[SPOOL_TEXT])
{
    return memchr(text, 0, SPOOL_TEXT) != NULL;
}

static int header_read(struct spool *s, char *why, size_t why_size)
{
    const void *p = s->bufs.at;
    const struct spool_header *h = p;

    if (s->bufs.size < SPOOL_BLOCK)
        return refuse(why, why_size, EBADMSG,
                      "%zu bytes of header (want %d; was the disk full?)",
                      s->bufs.size, SPOOL_BLOCK);
    if (h->magic != SPOOL_HEADER_MAGIC || h->version != SPOOL_VERSION)
        return refuse(why, why_size, EBADMSG,
                      "not the header of a spool of version %d", SPOOL_VERSION);
    if (!is_text(h->program) || !is_text(h->command) || !is_text(h->allocator))
        return refuse(why, why_size, EBADMSG,
                      "a text of the header has no end");
    s->header = h;
    s->about = (struct spool_about){.pid = h->pid,
                                    .parent = h->parent,
                                    .is_forked = h->is_forked != 0,
                                    .has_own_new = h->has_own_new != 0,
                                    .stop_errno = (int)h->stop_errno,
                                    .program = h->program,
                                    .command = h->command,
                                    .allocator = h->allocator};
    return 0;
}

/* ---- records ---- */

struct record {
    enum spool_kind kind; /* not NONE, not WIDE */
    bool is_stamped;
    uint8_t align_log2;
    unsigned words;
    uint64_t address; /* of a mark: the thread number */
    uint64_t size;    /* of a mark: which */
    uint64_t new_address;
    uint64_t stamp;      /* if stamped */
    uint64_t last_stamp; /* of a resize: when it was done */
};

/* The words of a wide record that follow its head. */
static unsigned wide_words(enum spool_kind kind)
{
    switch (kind) {
    case SPOOL_FREE:
        return 1;
    case SPOOL_ALLOC:
    case SPOOL_ZALLOC:
        return 2;
    case SPOOL_RESIZE:
        return 3;
    default:
        return 0;
    }
}

/* Fill in what stands in the words of a wide record. */
static void wide_read(struct record *r, const uint64_t at[])
{
    r->kind = (enum spool_kind)(r->size & 15);
    r->align_log2 = (uint8_t)((r->size >> 4) & 63);
    if (r->align_log2 > OP_MAX_ALIGN_LOG2)
        r->align_log2 = OP_MAX_ALIGN_LOG2;
    r->address = at[1];
    r->new_address = r->kind == SPOOL_RESIZE ? at[2] : 0;
    r->size = r->kind == SPOOL_FREE ? 0 : at[r->kind == SPOOL_RESIZE ? 3 : 2];
}

/* Decode the record at the start of at[room], room > 0.  False if there is
 * no whole and valid one. */
static bool record_read(const uint64_t at[], size_t room, struct record *r)
{
    uint64_t head = at[0];
    enum spool_kind kind =
        (enum spool_kind)((head & ~SPOOL_STAMPED) >> SPOOL_KIND_SHIFT);
    uint64_t small = (head >> SPOOL_SMALL_SHIFT) & SPOOL_SMALL_MAX;
    bool is_wide = kind == SPOOL_WIDE;
    enum spool_kind what = is_wide ? (enum spool_kind)(small & 15) : kind;
    unsigned extra = is_wide ? wide_words(what) : what == SPOOL_RESIZE ? 1 : 0;
    unsigned stamps = !(head & SPOOL_STAMPED) ? 0
                      : what == SPOOL_RESIZE  ? 2
                                              : 1;

    *r = (struct record){.kind = kind,
                         .is_stamped = stamps > 0,
                         .words = 1 + extra + stamps,
                         .address = (head & SPOOL_ADDRESS_MASK) << 3,
                         .size = small};
    if (kind == SPOOL_NONE || kind > SPOOL_MARK || (is_wide && !extra) ||
        r->words > room)
        return false;
    if (is_wide)
        wide_read(r, at);
    else if (kind == SPOOL_RESIZE)
        r->new_address = (at[1] & SPOOL_ADDRESS_MASK) << 3;
    else if (kind == SPOOL_MARK)
        r->address >>= 3;
    if (stamps) {
        r->stamp = at[1 + extra];
        r->last_stamp = at[extra + stamps];
    }
    if (kind == SPOOL_MARK)
        return true;
    return r->address && r->size <= PTRDIFF_MAX &&
           (r->kind != SPOOL_RESIZE || r->new_address);
}

/* ---- playing: the cursor of a thread ---- */

struct cursor {
    uint32_t chunk;       /* NO_CHUNK: at its end */
    size_t word;          /* of the next record in the chunk */
    struct record record; /* that is next */
    uint64_t key;         /* when it is due */
    uint64_t last_stamp;
    uint64_t chunk_ns; /* of a chunk that has just begun; else 0 */
    uint64_t flying;   /* object between the steps of a resize */
    bool is_flying;    /* its resize is at the second step */
    bool has_number, is_joined;
    uint16_t number; /* dense */
};

struct player {
    const struct spool *spool;
    struct op_sink *sink;
    struct spool_counts *counts;
    struct address_map map;
    uint64_t births;
    uint64_t time_ns; /* of the last OP_TIME */
    unsigned next_number;
    uint16_t heap[OP_MAX_THREADS]; /* lanes not at their end, by key */
    unsigned nheap;
    struct cursor cursor[OP_MAX_THREADS];
};

/* Take the key of the record just decoded; stamps never go back. */
static void cursor_stamp(struct player *p, struct cursor *c)
{
    if (c->record.is_stamped && c->record.stamp < c->last_stamp)
        p->counts->late_stamps++;
    c->key = c->last_stamp;
    if (c->record.is_stamped && c->record.stamp > c->last_stamp)
        c->key = c->record.stamp;
    c->last_stamp = c->key;
}

static void cursor_end(struct player *p, struct cursor *c)
{
    const struct chunk *chunks = p->spool->chunk;
    const struct spool_buffer *b = chunks[c->chunk].at;

    p->counts->dropped_bytes += (b->used - c->word) * 8;
    for (uint32_t i = chunks[c->chunk].next; i != NO_CHUNK; i = chunks[i].next)
        p->counts->dropped_bytes += chunks[i].at->used * 8;
    c->chunk = NO_CHUNK;
}

/* Decode the next record; at the end of the thread, chunk is NO_CHUNK. */
static void cursor_load(struct player *p, struct cursor *c)
{
    uint64_t stop = p->spool->header->stop_stamp;

    while (c->chunk != NO_CHUNK) {
        const struct chunk *chunk = &p->spool->chunk[c->chunk];
        const struct spool_buffer *b = chunk->at;

        if (c->word == 0)
            c->chunk_ns = b->begin_ns;
        if (c->word < b->used &&
            record_read(b->records + c->word, b->used - c->word, &c->record)) {
            cursor_stamp(p, c);
            if (stop && c->record.is_stamped && c->key > stop)
                cursor_end(p, c);
            return;
        }
        p->counts->dropped_bytes += (b->used - c->word) * 8;
        if (is_in_spool(p->spool, b))
            forget(&p->spool->spool, b,
                   SPOOL_HEAD + b->used * sizeof b->records[0]);
        c->chunk = chunk->next;
        c->word = 0;
    }
}

/* ---- playing: a heap of threads by (key, lane) ---- */

static bool is_before(const struct player *p, unsigned a, unsigned b)
{
    uint64_t key_a = p->cursor[a].key, key_b = p->cursor[b].key;

    return key_a < key_b || (key_a == key_b && a < b);
}

static void heap_sift(struct player *p, unsigned i)
{
    uint16_t lane = p->heap[i];

    for (unsigned child; (child = 2 * i + 1) < p->nheap; i = child) {
        if (child + 1 < p->nheap &&
            is_before(p, p->heap[child + 1], p->heap[child]))
            child++;
        if (!is_before(p, p->heap[child], lane))
            break;
        p->heap[i] = p->heap[child];
    }
    p->heap[i] = lane;
}

/* The top lane has moved on. */
static void heap_fix(struct player *p)
{
    if (p->cursor[p->heap[0]].chunk == NO_CHUNK)
        p->heap[0] = p->heap[--p->nheap];
    if (p->nheap > 1)
        heap_sift(p, 0);
}

/* ---- playing: operations ---- */

static int put(struct player *p, const struct cursor *c, enum op_kind kind,
               uint64_t object, uint64_t size)
{
    struct op op = {
        .kind = kind, .thread = c->number, .object = object, .size = size};

    return p->sink->put(p->sink, &op);
}

/* The address is about to be given out, so whatever was there has gone. */
static int play_implicit_free(struct player *p, const struct cursor *c,
                              uint64_t address)
{
    struct live_block *b = address_map_find(&p->map, address);

    if (!b)
        return 0;
    uint64_t object = b->object;

    address_map_remove(&p->map, b);
    p->counts->implicit_frees++;
    return put(p, c, OP_FREE, object, 0);
}

static int play_birth(struct player *p, const struct cursor *c,
                      enum op_kind kind, uint64_t address)
{
    const struct record *r = &c->record;
    int err = play_implicit_free(p, c, address);

    if (err)
        return err;
    struct op op = {.kind = kind,
                    .thread = c->number,
                    .align_log2 = kind == OP_ALLOC ? r->align_log2 : 0,
                    .object = p->births,
                    .size = r->size};

    err = p->sink->put(p->sink, &op);
    if (err)
        return err;
    p->counts->allocs++;
    return address_map_add(
        &p->map, (struct live_block){address, p->births++, c->number});
}

static int play_free(struct player *p, const struct cursor *c)
{
    struct live_block *b = address_map_find(&p->map, c->record.address);

    if (!b) {
        p->counts->unknown_frees++;
        return 0;
    }
    uint64_t object = b->object;

    p->counts->frees++;
    p->counts->cross_frees += b->thread != c->number;
    address_map_remove(&p->map, b);
    return put(p, c, OP_FREE, object, 0);
}

/* The first step of a resize: the old address is free for others. */
static void play_take_off(struct player *p, struct cursor *c)
{
    struct live_block *b = address_map_find(&p->map, c->record.address);

    c->flying = b ? b->object : NO_OBJECT;
    c->is_flying = true;
    if (b)
        address_map_remove(&p->map, b);
    if (c->record.is_stamped && c->record.last_stamp > c->last_stamp)
        c->last_stamp = c->record.last_stamp;
    c->key = c->last_stamp;
}

/* The second step: the block is at its new address. */
static int play_landing(struct player *p, struct cursor *c)
{
    uint64_t address = c->record.new_address;

    c->is_flying = false;
    if (c->flying == NO_OBJECT) {
        p->counts->unknown_resizes++;
        return play_birth(p, c, OP_ALLOC, address);
    }
    int err = play_implicit_free(p, c, address);

    if (!err && !c->record.size) { /* a trace has no resize to nothing */
        p->counts->frees++;
        err = put(p, c, OP_FREE, c->flying, 0);
        return err ? err : play_birth(p, c, OP_ALLOC, address);
    }
    if (!err)
        err = put(p, c, OP_RESIZE, c->flying, c->record.size);
    if (err)
        return err;
    p->counts->resizes++;
    return address_map_add(&p->map,
                           (struct live_block){address, c->flying, c->number});
}

static void number_give(struct player *p, struct cursor *c)
{
    if (!c->has_number)
        c->number = (uint16_t)p->next_number++;
    c->has_number = true;
}

/* A spawn counts only before the thread appears, a join only after its end:
 * so replaying them can never deadlock. */
static int play_mark(struct player *p, struct cursor *c)
{
    uint64_t raw = c->record.address;
    uint16_t lane = raw < RAW_THREADS ? p->spool->lane_of[raw] : NO_LANE;
    struct cursor *other = lane == NO_LANE ? NULL : &p->cursor[lane];

    if (c->record.size == SPOOL_MARK_START)
        return 0;
    if (c->record.size == SPOOL_MARK_SPAWN && other && !other->has_number) {
        number_give(p, other);
        return put(p, c, OP_SPAWN, other->number, 0);
    }
    if (c->record.size == SPOOL_MARK_JOIN && other && other != c &&
        other->has_number && other->chunk == NO_CHUNK && !other->is_joined) {
        other->is_joined = true;
        return put(p, c, OP_JOIN, other->number, 0);
    }
    p->counts->stray_marks++;
    return 0;
}

static int play_time(struct player *p, struct cursor *c)
{
    uint64_t start = p->spool->header->start_ns;
    uint64_t now = c->chunk_ns > start ? c->chunk_ns - start : 0;

    c->chunk_ns = 0;
    if (now <= p->time_ns)
        return 0;
    p->time_ns = now;
    return put(p, c, OP_TIME, 0, now);
}

static int play_record(struct player *p, struct cursor *c)
{
    switch (c->record.kind) {
    case SPOOL_FREE:
        return play_free(p, c);
    case SPOOL_ALLOC:
        return play_birth(p, c, OP_ALLOC, c->record.address);
    case SPOOL_ZALLOC:
        return play_birth(p, c, OP_ZALLOC, c->record.address);
    case SPOOL_RESIZE:
        return play_landing(p, c);
    default:
        return play_mark(p, c);
    }
}

/* One step of the lane whose turn it is. */
static int play_step(struct player *p)
{
    struct cursor *c = &p->cursor[p->heap[0]];
    int err = 0;

    number_give(p, c);
    if (c->chunk_ns)
        err = play_time(p, c);
    if (!err && c->record.kind == SPOOL_RESIZE && !c->is_flying) {
        play_take_off(p, c);
    } else if (!err) {
        err = play_record(p, c);
        c->word += c->record.words;
        cursor_load(p, c);
    }
    heap_fix(p);
    return err;
}

static void player_start(struct player *p)
{
    const struct spool *s = p->spool;

    for (unsigned i = 0; i < s->nlanes; i++) {
        p->cursor[i].chunk = s->lane[i].first;
        cursor_load(p, &p->cursor[i]);
        if (p->cursor[i].chunk != NO_CHUNK)
            p->heap[p->nheap++] = (uint16_t)i;
    }
    for (unsigned i = p->nheap / 2; i-- > 0;)
        heap_sift(p, i);
    if (s->lane_of[0] != NO_LANE)
        number_give(p, &p->cursor[s->lane_of[0]]);
}

static int spool_play(const struct trace_source *source, struct op_sink *sink)
{
    const struct spool *s = (const struct spool *)source;
    struct player *p = calloc(1, sizeof *p);
    int err = ENOMEM;

    if (!p)
        return ENOMEM;
    *p = (struct player){.spool = s, .sink = sink, .counts = s->counts};
    *s->counts = (struct spool_counts){.dropped_bytes = s->cut_bytes,
                                       .lost_chunks = s->lost_chunks};
    if (address_map_init(&p->map))
        goto out;
    player_start(p);
    for (err = 0; !err && p->nheap;)
        err = play_step(p);
    s->counts->left_blocks = p->map.count;
out:
    address_map_free(&p->map);
    free(p);
    return err;
}

/* ---- opening ---- */

static int map_file(const char *folder, const char *name, const char *suffix,
                    struct mapped *out)
{
    char path[PATH_MAX];
    struct stat st;

    if (snprintf(path, sizeof path, "%s/%s.%s", folder, name, suffix) >=
        (int)sizeof path)
        return ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 || fstat(fd, &st) ? errno : 0;

    if (!err && st.st_size > 0) {
        void *at =
            mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        err = at == MAP_FAILED ? errno : 0;
        if (!err)
            *out = (struct mapped){at, (size_t)st.st_size, true};
    }
    if (fd >= 0)
        close(fd);
    return err;
}

static struct spool *spool_new(void)
{
    struct spool *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->source.play = spool_play;
    s->counts = calloc(1, sizeof *s->counts);
    for (size_t i = 0; i < RAW_THREADS; i++)
        s->lane_of[i] = NO_LANE;
    if (s->counts)
        return s;
    free(s);
    return NULL;
}

/* Index what is mapped; takes s, also when it fails. */
static int spool_begin(struct spool *s, struct spool **out, char *why,
                       size_t why_size)
{
    int err = header_read(s, why, why_size);

    if (!err) {
        err = index_spool(s);
        if (!err)
            err = index_bufs(s);
        forgive_cut(s);
        if (err == E2BIG)
            refuse(why, why_size, err,
                   "more than %d threads in all (want at most so many)",
                   OP_MAX_THREADS);
        else if (err)
            refuse(why, why_size, err, "%s", strerror(err));
    }
    if (err) {
        spool_close(s);
        return err;
    }
    s->about.threads = s->nlanes;
    *out = s;
    return 0;
}

int spool_open(const char *folder, const char *name, struct spool **out,
               char *why, size_t why_size)
{
    struct spool *s = spool_new();

    if (!s)
        return refuse(why, why_size, ENOMEM, "%s", strerror(ENOMEM));
    int err = map_file(folder, name, "bufs", &s->bufs);

    if (!err)
        err = map_file(folder, name, "spool", &s->spool);
    /* The recorder makes the spool file second; a full disk may prevent it. */
    if (err == ENOENT && s->bufs.size)
        err = 0;
    if (err) {
        spool_close(s);
        return refuse(why, why_size, err, "%s/%s: %s", folder, name,
                      strerror(err));
    }
    return spool_begin(s, out, why, why_size);
}

int spool_open_memory(const void *spool, size_t spool_size, const void *bufs,
                      size_t bufs_size, struct spool **out, char *why,
                      size_t why_size)
{
    struct spool *s = spool_new();

    if (!s)
        return refuse(why, why_size, ENOMEM, "%s", strerror(ENOMEM));
    s->spool = (struct mapped){spool, spool_size, false};
    s->bufs = (struct mapped){bufs, bufs_size, false};
    return spool_begin(s, out, why, why_size);
}

const struct spool_about *spool_about(const struct spool *s)
{
    return &s->about;
}

const struct trace_source *spool_source(const struct spool *s)
{
    return &s->source;
}

const struct spool_counts *spool_counts(const struct spool *s)
{
    return s->counts;
}

static void unmap(const struct mapped *m)
{
    if (m->is_ours && m->at)
        munmap((void *)(uintptr_t)m->at, m->size);
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    unmap(&s->spool);
    unmap(&s->bufs);
    free(s->chunk);
    free(s->counts);
    free(s);
}
