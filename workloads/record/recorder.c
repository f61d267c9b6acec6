/* recorder.c - a library to preload that writes down what malloc is asked.
 *
 * Each call goes on to the next definition (RTLD_NEXT), so the program keeps
 * the allocator it has.  What was asked is appended to a buffer of the
 * thread, in the format of spool.h.  The buffers are pages of a shared file
 * mapping: whatever way the process ends, their last words are in the file,
 * and no exit handler is needed.  A full buffer is appended to the spool file
 * by one write, and used again while it is warm in the cache.
 *
 * Time stamps are taken only once there is a second thread: before that, the
 * order in the buffer is the order of the program.
 *
 * If a file cannot grow, recording stops for this process; the program goes
 * on unharmed.  errno is never changed, no descriptor below the last few of
 * the limit is taken, and a descriptor is checked before each write, as the
 * program may have closed it and opened a file of its own in its place.
 *
 * This file has mutable globals because malloc has no argument for state.
 *
 * Invariant: words of a buffer are written before `used` counts them, and
 * `used` is 0 before `sequence` goes up: a kill between any two instructions
 * loses at most the record in hand, and the reader knows a chunk that is in
 * both files by its sequence number.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RTLD_NEXT, dladdr, memalign, pvalloc, _Fork */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "spool.h"

#define EXPORT      __attribute__((visibility("default")))
#define COLD        __attribute__((noinline, cold))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* The preloaded library is there when the program starts, so its thread
 * variables lie at a fixed offset: no call is needed to find them. */
#define THREAD_OWN                                                             \
    static _Thread_local __attribute__((tls_model("initial-exec")))

enum {
    PATH_ROOM = 4096,
    BOOT_BYTES = 16384, /* for what dlsym allocates while we look for malloc */
    HOT_WORDS = 4,      /* of the longest record of the hot paths */
    DESCRIPTOR_CEILING = 1024, /* a higher one would grow the kernel's table */
    DESCRIPTOR_SPARE = 16,
    IMAGES_OF_A_PID = 10000,
    JOINABLES = 4096 /* threads that can be known by their pthread_t */
};

/* ---- the allocator of the program ---- */

static struct real {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *,
                          void *(*)(void *), void *);
    int (*pthread_join)(pthread_t, void **);
    int (*thrd_create)(thrd_t *, thrd_start_t, void *);
    int (*thrd_join)(thrd_t, int *);
    pid_t (*fork_bare)(void);
    bool is_ready;
} real;

#define AT(name) offsetof(struct real, name)

static const struct {
    const char *name;
    size_t offset;
} real_names[] = {
    {"malloc", AT(malloc)},
    {"calloc", AT(calloc)},
    {"realloc", AT(realloc)},
    {"free", AT(free)},
    {"posix_memalign", AT(posix_memalign)},
    {"aligned_alloc", AT(aligned_alloc)},
    {"memalign", AT(memalign)},
    {"valloc", AT(valloc)},
    {"pvalloc", AT(pvalloc)},
    {"malloc_usable_size", AT(malloc_usable_size)},
    {"pthread_create", AT(pthread_create)},
    {"pthread_join", AT(pthread_join)},
    {"thrd_create", AT(thrd_create)},
    {"thrd_join", AT(thrd_join)},
    {"_Fork", AT(fork_bare)},
};

/* Path of the object that has the malloc of the program; set with `real`. */
static char allocator[SPOOL_TEXT];
static bool has_own_new;

static alignas(16) unsigned char boot[BOOT_BYTES];
static atomic_size_t boot_used;

static inline bool boot_owns(const void *p)
{
    return (uintptr_t)p - (uintptr_t)boot < BOOT_BYTES;
}

/* A block that is never given back.  16 bytes before it hold its size. */
COLD static void *boot_alloc(size_t size, size_t align)
{
    if (align < 16)
        align = 16;
    if (size > BOOT_BYTES || align > BOOT_BYTES / 4)
        return NULL;
    size_t room = (size + 16 + align + 15) & ~(size_t)15;
    size_t start = atomic_fetch_add(&boot_used, room);

    if (start + room > BOOT_BYTES)
        return NULL;
    uintptr_t p = ((uintptr_t)boot + start + 16 + align - 1) & ~(align - 1);

    memcpy(boot + (p - (uintptr_t)boot) - 16, &size, sizeof size);
    return boot + (p - (uintptr_t)boot);
}

static size_t boot_size(const void *p)
{
    size_t size;

    memcpy(&size, (const unsigned char *)p - 16, sizeof size);
    return size;
}

static void say(const char *text)
{
    ssize_t done = write(STDERR_FILENO, text, strlen(text));

    (void)done; /* there is nobody else to tell */
}

static void find_allocator(void)
{
    Dl_info where, where_new;
    void *address;
    void *operator_new = dlsym(RTLD_NEXT, "_Znwm");

    memcpy(&address, &real.malloc, sizeof address);
    if (!dladdr(address, &where))
        return;
    snprintf(allocator, sizeof allocator, "%s", where.dli_fname);
    has_own_new = operator_new && dladdr(operator_new, &where_new) &&
                  where_new.dli_fbase == where.dli_fbase;
}

/* Fill `real`.  Returns false when called from within: dlsym may allocate. */
COLD static bool resolve(void)
{
    static atomic_bool is_running;

    if (atomic_exchange(&is_running, true))
        return false;
    for (size_t i = 0; i < sizeof real_names / sizeof real_names[0]; i++) {
        void *address = dlsym(RTLD_NEXT, real_names[i].name);

        memcpy((char *)&real + real_names[i].offset, &address, sizeof address);
    }
    if (!real.malloc || !real.free || !real.realloc || !real.calloc) {
        say("heapyard-record: found no malloc after this library\n");
        abort();
    }
    find_allocator();
    real.is_ready = true;
    return true;
}

static inline bool is_ready(void)
{
    return !UNLIKELY(!real.is_ready) || resolve();
}

/* ---- the state of this image ---- */

/* A file that is found again if the program closed its descriptor. */
struct file {
    char path[PATH_ROOM];
    int descriptor, flags;
    dev_t device;
    ino_t inode;
};

struct joinable {
    pthread_t thread;
    uint32_t number; /* 0: joined, or never used */
};

static struct image {
    pthread_mutex_t lock; /* of all that follows */
    bool is_prepared;     /* key and fork handler exist; children inherit */
    bool is_forked;
    pthread_key_t key;
    char folder[PATH_ROOM - 64];
    struct spool_header *header; /* NULL: no files yet */
    struct file spool, bufs;
    uint64_t spool_end;        /* bytes of whole chunks */
    uint64_t blocks;           /* of bufs, the header's included */
    uint32_t threads;          /* numbers given out */
    struct spool_buffer *all;  /* by own[0] */
    struct spool_buffer *idle; /* by own[1] */
    struct joinable joinable[JOINABLES];
} image = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .spool.descriptor = -1,
           .bufs.descriptor = -1};

static atomic_bool is_stopped;  /* nothing is recorded any more */
static atomic_bool is_threaded; /* a second thread was started, ever */

/* Buffers that are always full, so that the hot path needs one test only:
 * the thread has no buffer; the thread is inside a call that it records. */
static struct spool_buffer none = {.used = SPOOL_WORDS};
static struct spool_buffer muted = {.used = SPOOL_WORDS};

THREAD_OWN struct spool_buffer *mine = &none;

THREAD_OWN struct {
    uint64_t sequence; /* of its next chunk, while it has no buffer */
    uint32_t number;
    bool is_numbered;
    bool is_late; /* its key destructor has run */
} self;

#if defined(__x86_64__)
static inline uint64_t stamp(void)
{
    return __builtin_ia32_rdtsc();
}
#else
static inline uint64_t stamp(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
#endif

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline bool stamps_needed(void)
{
    return atomic_load_explicit(&is_threaded, memory_order_relaxed);
}

/* What the slow paths keep from the program: its errno, a cancellation
 * inside malloc, and signal handlers that come back to malloc. */
struct pause {
    int error;
    int cancel_state;
    sigset_t signals;
};

static void pause_begin(struct pause *pause)
{
    sigset_t all;

    pause->error = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &pause->cancel_state);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &pause->signals);
    pthread_mutex_lock(&image.lock);
}

static void pause_end(const struct pause *pause)
{
    pthread_mutex_unlock(&image.lock);
    pthread_sigmask(SIG_SETMASK, &pause->signals, NULL);
    pthread_setcancelstate(pause->cancel_state, NULL);
    errno = pause->error;
}

/* Always false, for the caller to return. */
static bool stop(int why)
{
    if (image.header && !image.header->stop_errno) {
        image.header->stop_stamp = stamp();
        image.header->stop_errno = (uint64_t)why;
    }
    atomic_store(&is_stopped, true);
    return false;
}

/* ---- files ---- */

/* Move a descriptor to where programs do not look. */
static int descriptor_raise(int low)
{
    struct rlimit limit;
    rlim_t ceiling = DESCRIPTOR_CEILING;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < ceiling)
        ceiling = limit.rlim_cur;
    if (ceiling <= 2 * DESCRIPTOR_SPARE)
        return low;
    int high =
        fcntl(low, F_DUPFD_CLOEXEC, (int)ceiling - (int)DESCRIPTOR_SPARE);

    if (high < 0)
        return low;
    close(low);
    return high;
}

static bool file_is(const struct file *f, int fd)
{
    struct stat s;

    return !fstat(fd, &s) && s.st_dev == f->device && s.st_ino == f->inode;
}

/* A descriptor that certainly is of this file, or -1. */
static int file_descriptor(struct file *f)
{
    if (file_is(f, f->descriptor))
        return f->descriptor;
    int fd = open(f->path, f->flags | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (!file_is(f, fd)) {
        close(fd);
        errno = ESTALE;
        return -1;
    }
    f->descriptor = descriptor_raise(fd);
    return f->descriptor;
}

static int file_create(struct file *f, int flags)
{
    struct stat s;
    int fd = open(f->path, flags | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    fstat(fd, &s);
    f->flags = flags;
    f->device = s.st_dev;
    f->inode = s.st_ino;
    f->descriptor = descriptor_raise(fd);
    return 0;
}

/* Growing a file beyond the limit of the process would kill it. */
static bool is_within_limit(uint64_t end)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
           end <= limit.rlim_cur;
}

/* One more block of bufs, zeroed, mapped; its disk space is certain, so no
 * store to it can fail later.  NULL after an error, and recording stops. */
static void *block_map(void)
{
    off_t offset = (off_t)(image.blocks * SPOOL_BLOCK);
    int fd = file_descriptor(&image.bufs);
    int err = fd < 0 ? errno
              : !is_within_limit((uint64_t)offset + SPOOL_BLOCK)
                  ? EFBIG
                  : posix_fallocate(fd, offset, SPOOL_BLOCK);

    if (!err) {
        void *p = mmap(NULL, SPOOL_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED,
                       fd, offset);

        if (p != MAP_FAILED) {
            image.blocks++;
            return p;
        }
        err = errno;
    }
    stop(err);
    return NULL;
}

static bool write_whole(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* Append the buffer to the spool as a chunk.  On an error the file is cut to
 * whole chunks, the buffer stays as it is, and recording stops. */
static bool chunk_write(const struct spool_buffer *b)
{
    size_t size = SPOOL_HEAD + b->used * sizeof b->records[0];
    int fd = file_descriptor(&image.spool);

    if (fd < 0)
        return stop(errno);
    if (!is_within_limit(image.spool_end + size))
        return stop(EFBIG);
    if (!write_whole(fd, (const char *)b, size)) {
        int err = errno;
        int cut = ftruncate(fd, (off_t)image.spool_end);

        (void)cut; /* the reader drops a chunk that is cut short */
        return stop(err);
    }
    image.spool_end += size;
    return true;
}

/* The arguments of this program, with spaces for the zeros between them. */
static void read_command(char *out, size_t size)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

    if (fd >= 0)
        close(fd);
    n = n < 0 ? 0 : n;
    for (ssize_t i = 0; i + 1 < n; i++)
        if (!out[i])
            out[i] = ' ';
    out[n] = 0;
}

static void header_fill(struct spool_header *h)
{
    ssize_t n = readlink("/proc/self/exe", h->program, sizeof h->program - 1);

    h->program[n < 0 ? 0 : n] = 0;
    read_command(h->command, sizeof h->command);
    memcpy(h->allocator, allocator, sizeof h->allocator);
    h->version = SPOOL_VERSION;
    h->is_forked = image.is_forked;
    h->has_own_new = has_own_new;
    h->pid = getpid();
    h->parent = getppid();
    h->start_ns = now_ns();
    atomic_signal_fence(memory_order_release);
    h->magic = SPOOL_HEADER_MAGIC;
}

static int files_create(void)
{
    int err = EEXIST;

    for (unsigned n = 0; err == EEXIST && n < IMAGES_OF_A_PID; n++) {
        snprintf(image.bufs.path, sizeof image.bufs.path, "%s/%ld.%u.bufs",
                 image.folder, (long)getpid(), n);
        snprintf(image.spool.path, sizeof image.spool.path, "%s/%ld.%u.spool",
                 image.folder, (long)getpid(), n);
        err = file_create(&image.bufs, O_RDWR);
    }
    return err ? err : file_create(&image.spool, O_WRONLY | O_APPEND);
}

static void thread_end(void *);
static void child_begin(void);

/* Have files, a header, and the handlers of thread end and fork.  At the
 * first record of an image, so that a child that execs at once leaves none. */
static bool image_open(void)
{
    if (image.header)
        return true;
    const char *folder = getenv("HEAPYARD_SPOOL");

    if (!image.folder[0] && folder && strlen(folder) < sizeof image.folder)
        strcpy(image.folder, folder);
    if (!image.folder[0])
        return stop(ENOENT);
    int err = files_create();

    if (err)
        return stop(err);
    struct spool_header *h = block_map();

    if (!h)
        return false;
    header_fill(h);
    image.header = h;
    if (!image.is_prepared) {
        image.is_prepared = true;
        if (pthread_key_create(&image.key, thread_end) ||
            pthread_atfork(NULL, NULL, child_begin))
            return stop(EAGAIN);
    }
    return true;
}

/* ---- buffers; all with the lock held ---- */

static void buffer_begin(struct spool_buffer *b)
{
    b->begin_ns = now_ns();
    b->begin_stamp = stamp();
}

static struct spool_buffer *buffer_take(uint32_t number, uint64_t sequence)
{
    struct spool_buffer *b = image.idle;

    if (b) {
        image.idle = b->own[1];
    } else {
        b = block_map();
        if (!b)
            return NULL;
        b->own[0] = image.all;
        image.all = b;
        b->magic = SPOOL_BUFFER_MAGIC;
    }
    b->thread = number;
    b->sequence = sequence;
    buffer_begin(b);
    return b;
}

static void buffer_give(struct spool_buffer *b)
{
    b->own[1] = image.idle;
    image.idle = b;
}

static bool buffer_flush(struct spool_buffer *b)
{
    if (!chunk_write(b))
        return false;
    b->used = 0;
    atomic_signal_fence(memory_order_release);
    b->sequence++;
    buffer_begin(b);
    return true;
}

static inline void buffer_append(struct spool_buffer *b, const uint64_t words[],
                                 unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        b->records[b->used + i] = words[i];
    atomic_signal_fence(memory_order_release);
    b->used += n;
}

/* Give up the buffer of a thread that will not need it any more. */
static void buffer_retire(struct spool_buffer *b)
{
    if (!buffer_flush(b))
        return;
    self.sequence = b->sequence;
    buffer_give(b);
}

/* A buffer for this thread, which has none. */
static struct spool_buffer *buffer_attach(void)
{
    if (!self.is_numbered) {
        self.is_numbered = true;
        self.number = image.threads++;
        /* It may be a thread that the C library started for itself. */
        if (self.number > 0)
            atomic_store(&is_threaded, true);
    }
    if (!self.is_late)
        pthread_setspecific(image.key, &self); /* so that thread_end runs */
    return buffer_take(self.number, self.sequence);
}

/* ---- records ---- */

/* Append a record where the hot path could not: no buffer, no room.  After
 * the end of a thread its buffer does not wait for more. */
COLD static void put_words(const uint64_t words[], unsigned n)
{
    struct spool_buffer *b = mine;
    struct pause pause;

    if (b->used + n <= SPOOL_WORDS) {
        buffer_append(b, words, n);
        return;
    }
    if (b == &muted || atomic_load(&is_stopped))
        return;
    mine = &muted;
    pause_begin(&pause);
    if (!atomic_load(&is_stopped) && image_open()) {
        bool is_first = b == &none;

        if (is_first)
            b = buffer_attach();
        if (b && (is_first || buffer_flush(b)))
            buffer_append(b, words, n);
        if (b && self.is_late)
            buffer_retire(b);
    }
    mine = b && !self.is_late ? b : &none;
    pause_end(&pause);
}

COLD static void put_head_slow(uint64_t head)
{
    uint64_t words[2] = {head};

    if (!stamps_needed()) {
        put_words(words, 1);
        return;
    }
    words[0] |= SPOOL_STAMPED;
    words[1] = stamp();
    put_words(words, 2);
}

/* Append a record of one word, and the stamp of this moment. */
static inline void put_head(uint64_t head)
{
    struct spool_buffer *b = mine;
    uint64_t used = b->used;

    if (UNLIKELY(used > SPOOL_WORDS - HOT_WORDS)) {
        put_head_slow(head);
        return;
    }
    if (stamps_needed()) {
        b->records[used + 1] = stamp();
        b->records[used] = head | SPOOL_STAMPED;
        used += 2;
    } else {
        b->records[used] = head;
        used += 1;
    }
    atomic_signal_fence(memory_order_release);
    b->used = used;
}

static inline uint64_t head_of(enum spool_kind kind, uint64_t small)
{
    return (uint64_t)kind << SPOOL_KIND_SHIFT | small << SPOOL_SMALL_SHIFT;
}

/* A record in whole words: what[0 .. n-1] are addresses and sizes. */
COLD static void put_wide(uint64_t head, const uint64_t what[], unsigned n,
                          uint64_t begin)
{
    uint64_t words[SPOOL_RECORD_WORDS] = {head};
    unsigned used = 1;
    unsigned kind = (unsigned)(head >> SPOOL_SMALL_SHIFT) & 15;

    for (unsigned i = 0; i < n; i++)
        words[used++] = what[i];
    if (stamps_needed()) {
        words[0] |= SPOOL_STAMPED;
        if (kind == SPOOL_RESIZE)
            words[used++] = begin;
        words[used++] = stamp();
    }
    put_words(words, used);
}

static inline void record_birth(enum spool_kind kind, const void *p,
                                size_t size)
{
    uint64_t address = (uintptr_t)p;

    if (UNLIKELY((address & SPOOL_ADDRESS_OUT) || size > SPOOL_SMALL_MAX)) {
        put_wide(head_of(SPOOL_WIDE, kind), (uint64_t[]){address, size}, 2, 0);
        return;
    }
    put_head(head_of(kind, size) | address >> 3);
}

static void record_aligned(const void *p, size_t align, size_t size)
{
    uint64_t log2 = (uint64_t)__builtin_ctzll((unsigned long long)align);

    put_wide(head_of(SPOOL_WIDE, SPOOL_ALLOC | log2 << 4),
             (uint64_t[]){(uintptr_t)p, size}, 2, 0);
}

static inline void record_death(const void *p)
{
    uint64_t address = (uintptr_t)p;

    if (UNLIKELY(address & SPOOL_ADDRESS_OUT)) {
        put_wide(head_of(SPOOL_WIDE, SPOOL_FREE), &address, 1, 0);
        return;
    }
    put_head(head_of(SPOOL_FREE, 0) | address >> 3);
}

static inline void record_resize(uint64_t begin, const void *p_old,
                                 const void *p_new, size_t size)
{
    uint64_t old = (uintptr_t)p_old, new = (uintptr_t)p_new;
    struct spool_buffer *b = mine;
    uint64_t used = b->used;

    if (UNLIKELY(used > SPOOL_WORDS - HOT_WORDS ||
                 ((old | new) & SPOOL_ADDRESS_OUT) || size > SPOOL_SMALL_MAX)) {
        put_wide(head_of(SPOOL_WIDE, SPOOL_RESIZE),
                 (uint64_t[]){old, new, size}, 3, begin);
        return;
    }
    uint64_t head = head_of(SPOOL_RESIZE, size) | old >> 3;

    b->records[used + 1] = head_of(SPOOL_RESIZE, 0) | new >> 3;
    if (stamps_needed()) {
        head |= SPOOL_STAMPED;
        b->records[used + 2] = begin;
        b->records[used + 3] = stamp();
    }
    b->records[used] = head;
    atomic_signal_fence(memory_order_release);
    b->used = used + (head & SPOOL_STAMPED ? 4 : 2);
}

static void record_mark(enum spool_mark mark, uint32_t number)
{
    put_head(head_of(SPOOL_MARK, mark) | number);
}

/* While the allocator works for us, what it asks of malloc in turn (a
 * realloc made of malloc and free, memory of its own) is not the program's. */
static inline struct spool_buffer *mute(void)
{
    struct spool_buffer *b = mine;

    mine = &muted;
    return b;
}

static inline void unmute(struct spool_buffer *b)
{
    mine = b;
}

/* ---- malloc and its family ---- */

EXPORT void *malloc(size_t size)
{
    if (!is_ready())
        return boot_alloc(size, 0);
    void *p = real.malloc(size);

    if (p)
        record_birth(SPOOL_ALLOC, p, size);
    return p;
}

EXPORT void free(void *p)
{
    if (!p || UNLIKELY(boot_owns(p)) || !is_ready())
        return;
    record_death(p);
    real.free(p);
}

EXPORT void *calloc(size_t n, size_t size)
{
    if (!is_ready()) /* boot memory is zero, and given out once */
        return n && size > SIZE_MAX / n ? NULL : boot_alloc(n * size, 0);
    struct spool_buffer *b = mute();
    void *p = real.calloc(n, size);

    unmute(b);
    if (p)
        record_birth(SPOOL_ZALLOC, p, n * size);
    return p;
}

/* realloc of a boot block, or before the allocator is known. */
COLD static void *realloc_boot(void *old, size_t size)
{
    void *p = malloc(size);

    if (p && old) {
        size_t old_size = boot_size(old);

        memcpy(p, old, old_size < size ? old_size : size);
    }
    return p;
}

EXPORT void *realloc(void *old, size_t size)
{
    if (UNLIKELY(!is_ready() || boot_owns(old)))
        return realloc_boot(old, size);
    uint64_t begin = old && stamps_needed() ? stamp() : 0;
    struct spool_buffer *b = mute();
    void *p = real.realloc(old, size);

    unmute(b);
    if (p && old)
        record_resize(begin, old, p, size);
    else if (p)
        record_birth(SPOOL_ALLOC, p, size);
    else if (old && !size)
        record_death(old);
    return p;
}

/* Not passed on: the one of the C library calls realloc, which is ours. */
EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    if (!is_ready())
        return (*out = boot_alloc(size, align)) ? 0 : ENOMEM;
    struct spool_buffer *b = mute();
    int err = real.posix_memalign(out, align, size);

    unmute(b);
    if (!err && *out)
        record_aligned(*out, align, size);
    return err;
}

/* aligned_alloc and memalign, for which glibc rounds a strange alignment up
 * to the next power of two. */
static void *aligned(void *(*call)(size_t, size_t), size_t align, size_t size)
{
    struct spool_buffer *b = mute();
    void *p = call(align, size);

    unmute(b);
    if (p) {
        size_t power = 1;

        while (power < align)
            power *= 2;
        record_aligned(p, power, size);
    }
    return p;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return is_ready() ? aligned(real.aligned_alloc, align, size)
                      : boot_alloc(size, align);
}

EXPORT void *memalign(size_t align, size_t size)
{
    return is_ready() ? aligned(real.memalign, align, size)
                      : boot_alloc(size, align);
}

static void *paged(void *(*call)(size_t), size_t size)
{
    struct spool_buffer *b = mute();
    void *p = call(size);

    unmute(b);
    if (p)
        record_aligned(p, (size_t)sysconf(_SC_PAGESIZE), size);
    return p;
}

EXPORT void *valloc(size_t size)
{
    return is_ready() ? paged(real.valloc, size) : NULL;
}

EXPORT void *pvalloc(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (!is_ready() || size > SIZE_MAX - page)
        return NULL;
    return paged(real.pvalloc, (size + page - 1) / page * page);
}

/* Recorded as nothing, but a boot block must not reach the allocator. */
EXPORT size_t malloc_usable_size(void *p)
{
    if (p && UNLIKELY(boot_owns(p)))
        return boot_size(p);
    return p && is_ready() ? real.malloc_usable_size(p) : 0;
}

/* ---- threads ---- */

/* What a new thread runs.  It travels in the records of its own buffer,
 * which are empty, so that no memory of the program is needed. */
struct thread_start {
    union {
        void *(*posix)(void *);
        thrd_start_t c11;
    } routine;
    void *argument;
};

static struct joinable *joinable_cell(pthread_t thread)
{
    size_t i = (size_t)thread >> 12;

    for (size_t n = 0; n < JOINABLES; n++) {
        struct joinable *j = &image.joinable[(i + n) % JOINABLES];

        if (!j->thread || pthread_equal(j->thread, thread))
            return j;
    }
    return NULL; /* full: this thread gets no join mark */
}

static void joinable_set(pthread_t thread, uint32_t number)
{
    struct joinable *j = joinable_cell(thread);

    if (j)
        *j = (struct joinable){thread, number};
}

/* The number of a thread that may be joined, once; or 0. */
static uint32_t joinable_take(pthread_t thread)
{
    struct pause pause;
    uint32_t number = 0;

    pause_begin(&pause);
    struct joinable *j = joinable_cell(thread);

    if (j && j->thread) {
        number = j->number;
        j->number = 0;
    }
    pause_end(&pause);
    return number;
}

/* A buffer, with a number, for a thread to come; NULL if nothing is recorded
 * any more. */
static struct spool_buffer *thread_prepare(struct thread_start start)
{
    struct spool_buffer *b = NULL, *before = mute();
    struct pause pause;

    atomic_store(&is_threaded, true);
    pause_begin(&pause);
    if (!atomic_load(&is_stopped) && image_open()) {
        if (!image.threads) { /* the first thread has not called malloc yet */
            self.is_numbered = true;
            image.threads = 1;
        }
        b = buffer_take(image.threads, 0);
        if (b) {
            image.threads++;
            memcpy(b->records, &start, sizeof start);
        }
    }
    pause_end(&pause);
    unmute(before);
    if (b)
        record_mark(SPOOL_MARK_SPAWN, b->thread);
    return b;
}

/* The thread was not started after all. */
static void thread_forget(struct spool_buffer *b)
{
    struct pause pause;

    pause_begin(&pause);
    buffer_give(b);
    pause_end(&pause);
}

/* In the new thread, before anything of the program. */
static struct thread_start thread_begin(struct spool_buffer *b)
{
    struct thread_start start;
    struct pause pause;

    memcpy(&start, b->records, sizeof start);
    mine = &muted;
    pause_begin(&pause);
    self.is_numbered = true;
    self.number = b->thread;
    pthread_setspecific(image.key, &self);
    joinable_set(pthread_self(), b->thread);
    pause_end(&pause);
    mine = b;
    record_mark(SPOOL_MARK_START, b->thread);
    return start;
}

static void *thread_main(void *buffer)
{
    struct thread_start start = thread_begin(buffer);

    return start.routine.posix(start.argument);
}

static int thread_main_c11(void *buffer)
{
    struct thread_start start = thread_begin(buffer);

    return start.routine.c11(start.argument);
}

/* Destructor of the key.  What the thread frees later is written at once. */
static void thread_end(void *unused)
{
    struct spool_buffer *b = mine;
    struct pause pause;

    (void)unused;
    mine = &muted;
    pause_begin(&pause);
    if (b != &none && b != &muted && !atomic_load(&is_stopped))
        buffer_retire(b);
    self.is_late = true;
    mine = &none;
    pause_end(&pause);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*routine)(void *), void *argument)
{
    if (!is_ready())
        return EAGAIN;
    struct thread_start start = {.routine.posix = routine,
                                 .argument = argument};
    struct spool_buffer *b = thread_prepare(start);

    if (!b)
        return real.pthread_create(thread, attr, routine, argument);
    int err = real.pthread_create(thread, attr, thread_main, b);

    if (err)
        thread_forget(b);
    return err;
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t routine, void *argument)
{
    if (!is_ready())
        return thrd_error;
    struct thread_start start = {.routine.c11 = routine, .argument = argument};
    struct spool_buffer *b = thread_prepare(start);

    if (!b)
        return real.thrd_create(thread, routine, argument);
    int result = real.thrd_create(thread, thread_main_c11, b);

    if (result != thrd_success)
        thread_forget(b);
    return result;
}

/* The number is taken before: after the join the system may give the same
 * pthread_t to a new thread. */
EXPORT int pthread_join(pthread_t thread, void **result)
{
    if (!is_ready())
        return EINVAL;
    uint32_t number = joinable_take(thread);
    int err = real.pthread_join(thread, result);

    if (!err && number)
        record_mark(SPOOL_MARK_JOIN, number);
    return err;
}

EXPORT int thrd_join(thrd_t thread, int *result)
{
    if (!is_ready())
        return thrd_error;
    uint32_t number = joinable_take(thread);
    int err = real.thrd_join(thread, result);

    if (err == thrd_success && number)
        record_mark(SPOOL_MARK_JOIN, number);
    return err;
}

/* ---- processes ---- */

/* In a fork child: the buffers are its parent's, so drop them.  The child is
 * an image of its own, and gets files when it records something. */
static void child_begin(void)
{
    int error = errno;

    if (image.header)
        munmap(image.header, SPOOL_BLOCK);
    for (struct spool_buffer *b = image.all, *next; b; b = next) {
        next = b->own[0];
        munmap(b, SPOOL_BLOCK);
    }
    mine = &none;
    memset(&self, 0, sizeof self);
    memset(image.joinable, 0, sizeof image.joinable);
    pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

    memcpy(&image.lock, &unlocked, sizeof image.lock);
    if (file_is(&image.spool, image.spool.descriptor))
        close(image.spool.descriptor);
    if (file_is(&image.bufs, image.bufs.descriptor))
        close(image.bufs.descriptor);
    image.header = NULL;
    image.all = image.idle = NULL;
    image.spool_end = image.blocks = 0;
    image.threads = 0;
    image.is_forked = true;
    atomic_store(&is_threaded, false);
    atomic_store(&is_stopped, false);
    errno = error;
}

/* It runs no fork handlers.  (A child of vfork or posix_spawn shares the
 * memory of its parent and is rightly recorded as a part of it.) */
EXPORT pid_t _Fork(void)
{
    if (!is_ready() || !real.fork_bare) {
        errno = ENOSYS;
        return -1;
    }
    pid_t pid = real.fork_bare();

    if (!pid)
        child_begin();
    return pid;
}
