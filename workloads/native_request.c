/* native_request.c - a native workload, and all that a run of it depends on.
 *
 * The file is a cache, in the byte order of the machine, like a run-time
 * trace; what it names is looked up and verified anew when it is read.
 *
 * Source of the hash: FNV-1a, G. Fowler, L. C. Noll & K.-P. Vo (1991).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

#define MAGIC "HYnativ\n"

struct native_file {
    char magic[8];
    uint32_t version, threads;
    uint64_t seed;
    double scale;
    char text[NATIVE_TEXT_MAX];
};

enum { VERSION = 1 };

/* Returns 0 or an errno. */
static int write_whole(const char *path, const struct native_file *file)
{
    FILE *f = fopen(path, "wb");

    if (!f)
        return errno;
    int err = fwrite(file, sizeof *file, 1, f) == 1 ? 0 : errno;

    return fclose(f) && !err ? errno : err;
}

int native_request_write(const char *text, unsigned threads, uint64_t seed,
                         double scale, const char *path, char *why,
                         size_t why_size)
{
    struct native_file file = {.magic = MAGIC,
                               .version = VERSION,
                               .threads = threads,
                               .seed = seed,
                               .scale = scale};
    size_t length = strlen(text);

    if (length >= sizeof file.text) {
        snprintf(why, why_size,
                 "%.40s…: %zu bytes of name and knobs (want at "
                 "most %zu)",
                 text, length, sizeof file.text - 1);
        return EINVAL;
    }
    memcpy(file.text, text, length);
    int err = write_whole(path, &file);

    if (err)
        snprintf(why, why_size, "%s: %s", path, strerror(err));
    return err;
}

int native_request_is(const void *bytes, size_t n)
{
    return n >= sizeof MAGIC - 1 && !memcmp(bytes, MAGIC, sizeof MAGIC - 1);
}

static int bad(char *why, size_t why_size, const char *what)
{
    snprintf(why, why_size, "%s", what);
    return EBADMSG;
}

int native_request_read(const void *bytes, size_t n, struct native_request *out,
                        char *why, size_t why_size)
{
    struct native_file file;
    char name[NATIVE_TEXT_MAX];

    if (n != sizeof file || !native_request_is(bytes, n))
        return bad(why, why_size, "is no whole request of a native workload");
    memcpy(&file, bytes, sizeof file);
    if (file.version != VERSION || !memchr(file.text, 0, sizeof file.text))
        return bad(why, why_size, "is a request of another version");
    size_t length = strcspn(file.text, ":");
    const char *knobs = file.text + length + (file.text[length] == ':');

    memcpy(name, file.text, length);
    name[length] = 0;
    const struct workload *w = workload_find(name);
    if (!w || !w->run)
        return bad(why, why_size, "names no native workload");
    if (file.threads < w->min_threads || file.threads > w->max_threads ||
        file.threads > OP_MAX_THREADS || !(file.scale > 0 && file.scale <= 1e6))
        return bad(why, why_size, "has threads or a scale out of range");
    *out = (struct native_request){.workload = w,
                                   .threads = file.threads,
                                   .seed = file.seed,
                                   .scale = file.scale};
    return workload_knobs(w, knobs, &out->values, why, why_size) ? EBADMSG : 0;
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < n; i++)
        h = (h ^ byte[i]) * UINT64_C(0x100000001b3);
    return h;
}

uint64_t native_request_hash(const struct native_request *r)
{
    const struct workload *w = r->workload;
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    h = mix(h, w->name, strlen(w->name));
    h = mix(h, &w->version, sizeof w->version);
    for (size_t i = 0; w->knobs && w->knobs[i].name; i++)
        h = mix(h, &r->values.v[i], sizeof r->values.v[i]);
    h = mix(h, &r->seed, sizeof r->seed);
    h = mix(h, &r->scale, sizeof r->scale);
    h = mix(h, &r->threads, sizeof r->threads);
    return h >> (64 - TRACE_HASH_BITS);
}
