/* compaction.c - what does a heap hold after most of it was freed?
 *
 *   compaction thin|phases malloc|handles|handles-idle [THRESHOLD]
 *
 *   thin    100 MiB of objects of 16-512 bytes; 9 of 10, at random, are freed;
 *           then 300 ms of light work
 *   phases  64 MiB of one size; 9 of 10, at random, are freed; as much again
 *           of another size; once more; then 300 ms of light work
 *
 * The heap is this process's malloc (preload what is to be measured), or the
 * handles of allocators/handles.h with their pacing (at THRESHOLD, or its
 * preset), or with 64 KiB of compaction in each idle millisecond on top.
 *
 * Prints one line: memory after settling / live; memory after settling, its
 * peak, live bytes (MiB); and the CPU time in ms of all but looking at memory.
 * Live bytes are those asked for.  Memory is what the process has of its own,
 * anonymous and shared, each page once, also where it is mapped twice (as
 * meshing does), less what it had before the first object.  The peak is looked
 * for every 10,000 operations.
 *
 * Contents are written whole, and compared when an object is freed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "handles.h"

enum {
    OBJECTS_MAX = 1 << 20,
    LOOK_EVERY = 10000, /* operations */
    SETTLE_TURNS = 300, /* of a millisecond */
    SETTLE_PAIRS = 50,  /* objects exchanged in one */
    FDS = 64            /* looked through for memory files */
};

struct object {
    uint64_t name; /* address or handle; 0: none */
    uint32_t size;
    uint32_t fill;
};

struct bench {
    struct object *object;
    size_t n, live;
    struct hy_handles *heap; /* NULL: malloc */
    bool uses_idle_time;
    uint64_t random, operations;
    size_t before, peak; /* bytes of memory */
    double looking;      /* seconds of CPU */
};

static void give_up(const char *why)
{
    fprintf(stderr, "compaction: %s\n", why);
    exit(1);
}

/* splitmix64; the modulo's bias does not matter here. */
static uint64_t random_below(struct bench *b, uint64_t n)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- memory; nothing here allocates ---- */

/* Pages of memory files are in use even where none is mapped. */
static size_t memory_files(void)
{
    struct stat s;
    char name[64], target[64];
    size_t bytes = 0;

    for (int fd = 3; fd < FDS; fd++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        const ssize_t n = readlink(name, target, sizeof target);
        if (n > 7 && !memcmp(target, "/memfd:", 7) && !fstat(fd, &s))
            bytes += (size_t)s.st_blocks * 512;
    }
    return bytes;
}

static size_t field(const char *text, const char *name)
{
    const char *const at = strstr(text, name);

    if (!at)
        give_up("this kernel's smaps_rollup lacks Pss_Anon or Pss_Shmem");
    return (size_t)strtoul(at + strlen(name), NULL, 10) << 10;
}

static size_t memory_bytes(void)
{
    char text[4096];
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (n <= 0)
        give_up("cannot read /proc/self/smaps_rollup");
    close(fd);
    text[n] = '\0';
    const size_t shared = field(text, "Pss_Shmem:"), files = memory_files();
    return field(text, "Pss_Anon:") + (shared > files ? shared : files);
}

static void look(struct bench *b)
{
    const double start = cpu_seconds();
    const size_t now = memory_bytes();

    b->peak = now > b->peak ? now : b->peak;
    b->looking += cpu_seconds() - start;
}

/* ---- objects ---- */

static void make(struct bench *b, struct object *object, size_t size)
{
    object->size = (uint32_t)size;
    object->fill = (uint32_t)random_below(b, 256);
    if (b->heap) {
        object->name = hy_handles_alloc(b->heap, size);
        void *const p = hy_handles_pin(b->heap, object->name);
        if (!p)
            give_up("out of memory");
        memset(p, (int)object->fill, size);
        hy_handles_unpin(b->heap, object->name);
    } else {
        void *const p = malloc(size);
        if (!p)
            give_up("out of memory");
        memset(p, (int)object->fill, size);
        object->name = (uintptr_t)p;
    }
    b->live += size;
    if (++b->operations % LOOK_EVERY == 0)
        look(b);
}

static void verify(const struct object *object, const unsigned char *p)
{
    for (uint32_t i = 0; i < object->size; i++)
        if (p[i] != object->fill)
            give_up("an object's contents have changed");
}

static void unmake(struct bench *b, struct object *object)
{
    if (b->heap) {
        verify(object, hy_handles_pin(b->heap, object->name));
        hy_handles_unpin(b->heap, object->name);
        hy_handles_free(b->heap, object->name);
    } else {
        void *const p = (void *)(uintptr_t)object->name;
        verify(object, p);
        free(p);
    }
    b->live -= object->size;
    object->name = 0;
    if (++b->operations % LOOK_EVERY == 0)
        look(b);
}

/* ---- phases ---- */

static void fill(struct bench *b, size_t bytes, size_t least, size_t most)
{
    for (size_t i = 0; b->live < bytes; i++) {
        if (i == OBJECTS_MAX)
            give_up("too many objects");
        if (b->object[i].name)
            continue;
        make(b, &b->object[i], least + random_below(b, most - least + 1));
        b->n = i + 1 > b->n ? i + 1 : b->n;
    }
}

static void thin_out(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->object[i].name && random_below(b, 10))
            unmake(b, &b->object[i]);
}

static void settle(struct bench *b)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (unsigned turn = 0; turn < SETTLE_TURNS; turn++) {
        for (unsigned pairs = 0; pairs < SETTLE_PAIRS;) {
            struct object *const object = &b->object[random_below(b, b->n)];
            if (!object->name)
                continue;
            const size_t size = object->size;
            unmake(b, object);
            make(b, object, size);
            pairs++;
        }
        if (b->uses_idle_time)
            (void)hy_handles_compact(b->heap, 64 << 10);
        nanosleep(&pause, NULL);
    }
}

static void thin(struct bench *b)
{
    fill(b, 100 << 20, 16, 512);
    thin_out(b);
}

static void phases(struct bench *b)
{
    static const size_t sizes[] = {112, 208, 416};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (i > 0)
            thin_out(b);
        fill(b, 64 << 20, sizes[i], sizes[i]);
    }
}

static const struct {
    const char *name;
    void (*run)(struct bench *);
} workloads[] = {{"thin", thin}, {"phases", phases}};

static void measure(struct bench *b, void (*run)(struct bench *))
{
    b->object =
        mmap(NULL, OBJECTS_MAX * sizeof *b->object, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->object == MAP_FAILED)
        give_up("out of memory");
    memset(b->object, 1, OBJECTS_MAX * sizeof *b->object);
    memset(b->object, 0, OBJECTS_MAX * sizeof *b->object);
    b->before = memory_bytes();
    const double start = cpu_seconds();
    run(b);
    settle(b);
    const double cpu = cpu_seconds() - start - b->looking;
    look(b);
    const double after = (double)(memory_bytes() - b->before);
    const double mib = 1 << 20, live = (double)b->live;
    printf("%.3f %.1f %.1f %.1f %.0f\n", after / live, after / mib,
           (double)(b->peak - b->before) / mib, live / mib, 1000 * cpu);
}

static int usage(void)
{
    fprintf(stderr, "usage: compaction thin|phases "
                    "malloc|handles|handles-idle [THRESHOLD]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct bench b;
    const struct hy_handles_config config = {
        .threshold = argc > 3 ? strtod(argv[3], NULL) : 0};

    if (argc < 3 || argc > 4)
        return usage();
    if (strcmp(argv[2], "malloc") && hy_handles_open(&config, &b.heap))
        give_up("cannot open a heap of handles (threshold 1.1 or more?)");
    b.uses_idle_time = !strcmp(argv[2], "handles-idle");
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (!strcmp(workloads[i].name, argv[1])) {
            measure(&b, workloads[i].run);
            return 0;
        }
    return usage();
}
