/* input.c - the bytes of a file or of standard input, unpacked.
 *
 * Raw bytes come through one window; a decoder, chosen by the first four of
 * them, turns the window into what the caller reads.
 *
 * Sources: RFC 1952 (gzip), RFC 8878 (zstd), PKWARE's APPNOTE.TXT 4.3.7 (the
 * local header of a zip member).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    RAW_SIZE = 1 << 18,
    GZIP_WINDOW = 15 + 16, /* inflateInit2: 32 KiB, with gzip's header */
    DEFLATE_WINDOW = -15,  /* the same, bare */
    ZIP_HEAD = 30          /* bytes of a local header before the name */
};

struct packing;

struct input {
    const struct packing *packing;
    int fd;                      /* -1: memory */
    const unsigned char *memory; /* [memory_size], not yet in the window */
    size_t memory_size;
    unsigned char *raw; /* [RAW_SIZE], the window */
    size_t at, end;     /* of it: not yet used */
    int is_raw_end;     /* the source has no more for the window */
    int is_begun;       /* inside what is packed */
    int is_over;        /* the packed part has ended */
    int is_cut;
    z_stream deflate;
    ZSTD_DStream *zstd;
    char why[INPUT_WHY_SIZE];
};

/* How bytes are packed.  open is called with the first of them in the window;
 * read gives some more, *got == 0 at the end. */
struct packing {
    const char *name;
    unsigned char magic[4];
    size_t magic_size;
    int (*open)(struct input *);
    int (*read)(struct input *, void *buffer, size_t size, size_t *got);
    int (*next)(struct input *); /* a deflated stream has ended */
};

static int refuse(struct input *in, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(in->why, sizeof in->why, format, args);
    va_end(args);
    return err;
}

/* ---- the window ---- */

static int fetch(struct input *in, unsigned char *to, size_t size, size_t *got)
{
    if (in->fd < 0) {
        *got = size < in->memory_size ? size : in->memory_size;
        if (*got) /* memory may be NULL */
            memcpy(to, in->memory, *got);
        in->memory += *got;
        in->memory_size -= *got;
        return 0;
    }
    for (;;) {
        ssize_t n = read(in->fd, to, size);

        *got = n < 0 ? 0 : (size_t)n;
        if (n >= 0)
            return 0;
        if (errno != EINTR)
            return refuse(in, errno, "%s", strerror(errno));
    }
}

/* Have at least `want` bytes in the window, if there are so many. */
static int fill(struct input *in, size_t want)
{
    if (in->at) {
        memmove(in->raw, in->raw + in->at, in->end - in->at);
        in->end -= in->at;
        in->at = 0;
    }
    while (in->end < want && !in->is_raw_end) {
        size_t got;
        int err = fetch(in, in->raw + in->end, RAW_SIZE - in->end, &got);

        if (err)
            return err;
        in->end += got;
        in->is_raw_end = got == 0;
    }
    return 0;
}

/* An empty window is filled; *is_end: there is nothing left. */
static int need_raw(struct input *in, int *is_end)
{
    int err = in->at < in->end ? 0 : fill(in, 1);

    *is_end = !err && in->at == in->end;
    return err;
}

/* ---- plain ---- */

static int plain_open(struct input *in)
{
    (void)in;
    return 0;
}

static int plain_read(struct input *in, void *buffer, size_t size, size_t *got)
{
    if (in->at == in->end)
        return fetch(in, buffer, size, got);
    *got = size < in->end - in->at ? size : in->end - in->at;
    memcpy(buffer, in->raw + in->at, *got);
    in->at += *got;
    return 0;
}

/* ---- gzip and zip ---- */

static int inflate_open(struct input *in, int window)
{
    return inflateInit2(&in->deflate, window) == Z_OK ? 0 : ENOMEM;
}

static int gzip_open(struct input *in)
{
    return inflate_open(in, GZIP_WINDOW);
}

/* A gzip file may be several, one after the other. */
static int gzip_next(struct input *in)
{
    int is_end;
    int err = need_raw(in, &is_end);

    if (err)
        return err;
    in->is_begun = 0;
    in->is_over =
        is_end || in->raw[in->at] != 0x1f || inflateReset(&in->deflate) != Z_OK;
    return 0;
}

static unsigned get_16(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static int zip_open(struct input *in)
{
    int err = fill(in, ZIP_HEAD);

    if (err)
        return err;
    if (in->end < ZIP_HEAD)
        return refuse(in, EBADMSG, "ends inside the header of a zip member");
    size_t skip =
        ZIP_HEAD + (size_t)get_16(in->raw + 26) + get_16(in->raw + 28);

    if (get_16(in->raw + 8) != 8 || get_16(in->raw + 6) & 1)
        return refuse(in, ENOTSUP,
                      "its first zip member is not plainly deflated (unpack "
                      "it: unzip -p FILE | heapyard trace convert - OUT)");
    err = fill(in, skip);
    if (err)
        return err;
    if (in->end < skip)
        return refuse(in, EBADMSG, "ends inside the header of a zip member");
    in->at = skip;
    return inflate_open(in, DEFLATE_WINDOW);
}

/* Behind a member: perhaps its sizes (12 to 24 bytes), then the next member or
 * the directory. */
static int zip_next(struct input *in)
{
    int err = fill(in, ZIP_HEAD);

    in->is_begun = 0;
    in->is_over = 1;
    for (size_t i = 0; !err && i + 4 <= in->end && i <= 24; i++) {
        if (!memcmp(in->raw + i, "PK\1\2", 4))
            break;
        if (!memcmp(in->raw + i, "PK\3\4", 4))
            err = refuse(in, ENOTSUP,
                         "holds more than one file (unpack the one: unzip -p "
                         "ZIP NAME | heapyard trace convert - OUT)");
    }
    return err;
}

static int inflate_some(struct input *in, int *status)
{
    in->deflate.next_in = in->raw + in->at;
    in->deflate.avail_in = (uInt)(in->end - in->at);
    *status = inflate(&in->deflate, Z_NO_FLUSH);
    in->at = in->end - in->deflate.avail_in;
    in->is_begun = 1;
    if (*status == Z_OK || *status == Z_STREAM_END || *status == Z_BUF_ERROR)
        return 0;
    return refuse(in, *status == Z_MEM_ERROR ? ENOMEM : EBADMSG,
                  "is damaged: %s",
                  in->deflate.msg ? in->deflate.msg : zError(*status));
}

static int inflate_read(struct input *in, void *buffer, size_t size,
                        size_t *got)
{
    int err = 0, status, is_end;

    in->deflate.next_out = buffer;
    in->deflate.avail_out = (uInt)size;
    while (!err && in->deflate.avail_out == size && !in->is_over) {
        err = need_raw(in, &is_end);
        if (!err && is_end) {
            in->is_cut = in->is_begun;
            break;
        }
        if (!err)
            err = inflate_some(in, &status);
        if (!err && status == Z_STREAM_END)
            err = in->packing->next(in);
    }
    *got = size - in->deflate.avail_out;
    return err;
}

/* ---- zstd ---- */

static int zstd_open(struct input *in)
{
    in->zstd = ZSTD_createDStream();
    return in->zstd ? 0 : ENOMEM;
}

static int zstd_read(struct input *in, void *buffer, size_t size, size_t *got)
{
    ZSTD_outBuffer out = {buffer, size, 0};
    int err = 0, is_end;

    while (!err && out.pos == 0) {
        err = need_raw(in, &is_end);
        if (err)
            break;
        ZSTD_inBuffer raw = {in->raw + in->at, in->end - in->at, 0};
        size_t left = ZSTD_decompressStream(in->zstd, &out, &raw);

        in->at += raw.pos;
        if (ZSTD_isError(left))
            err =
                refuse(in, EBADMSG, "is damaged: %s", ZSTD_getErrorName(left));
        else if (is_end && out.pos == 0) {
            in->is_cut = in->is_begun;
            break;
        } else
            in->is_begun = left != 0;
    }
    *got = out.pos;
    return err;
}

/* ---- opening ---- */

static const struct packing packings[] = {
    {"gzip", {0x1f, 0x8b}, 2, gzip_open, inflate_read, gzip_next},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, zstd_open, zstd_read, NULL},
    {"zip", {'P', 'K', 3, 4}, 4, zip_open, inflate_read, zip_next},
    {"", {0}, 0, plain_open, plain_read, NULL}, /* whatever is left */
};

static int choose_packing(struct input *in)
{
    int err = fill(in, sizeof packings->magic);
    const struct packing *p = packings;

    if (err)
        return err;
    while (p->magic_size > in->end || memcmp(in->raw, p->magic, p->magic_size))
        p++;
    in->packing = p;
    return p->open(in);
}

/* Takes in, also when it fails. */
static int input_begin(struct input *in, const char *name, struct input **out,
                       char *why, size_t why_size)
{
    in->raw = malloc(RAW_SIZE);
    int err = in->raw ? choose_packing(in) : ENOMEM;

    if (err) {
        snprintf(why, why_size, "%s: %s", name,
                 in->why[0] ? in->why : strerror(err));
        input_close(in);
        return err;
    }
    *out = in;
    return 0;
}

int input_open_memory(const void *bytes, size_t n, struct input **out,
                      char *why, size_t why_size)
{
    struct input *in = calloc(1, sizeof *in);

    if (!in)
        return ENOMEM;
    in->fd = -1;
    in->memory = bytes;
    in->memory_size = n;
    return input_begin(in, "memory", out, why, why_size);
}

int input_open(const char *path, struct input **out, char *why, size_t why_size)
{
    struct input *in = calloc(1, sizeof *in);

    if (in)
        in->fd =
            strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (!in || in->fd < 0) {
        int err = in ? errno : ENOMEM;

        snprintf(why, why_size, "%s: %s", path, strerror(err));
        free(in);
        return err;
    }
    return input_begin(in, path, out, why, why_size);
}

void input_close(struct input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    inflateEnd(&in->deflate);
    ZSTD_freeDStream(in->zstd);
    free(in->raw);
    free(in);
}

int input_read(struct input *in, void *buffer, size_t size, size_t *got)
{
    return in->packing->read(in, buffer, size, got);
}

int input_is_cut(const struct input *in)
{
    return in->is_cut;
}

const char *input_why(const struct input *in)
{
    return in->why;
}

const char *input_packing(const struct input *in)
{
    return in->packing->name;
}
