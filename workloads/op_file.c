/* op_file.c - operations in a temporary file, to be taken one by one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "op_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A mark's object is the index of its name. */
struct packed {
    uint64_t object, size;
    uint16_t thread;
    uint8_t kind, align_log2;
    uint32_t unused;
};

static int keep_name(struct op_file *f, const char *name)
{
    void *more = realloc(f->names, (f->nnames + 1) * sizeof *f->names);

    if (!more)
        return ENOMEM;
    f->names = more;
    memset(f->names[f->nnames], 0, sizeof *f->names);
    strncpy(f->names[f->nnames++], name, OP_NAME_MAX);
    return 0;
}

static int file_put(struct op_sink *sink, const struct op *op)
{
    struct op_file *f = (struct op_file *)sink;
    struct packed p = {.object = op->object,
                       .size = op->size,
                       .thread = op->thread,
                       .kind = (uint8_t)op->kind,
                       .align_log2 = op->align_log2};
    int err = 0;

    if (op->kind == OP_MARK) {
        p.object = f->nnames;
        err = keep_name(f, op->name);
    }
    if (!err && fwrite(&p, sizeof p, 1, f->file) != 1)
        err = errno ? errno : EIO;
    f->n += err == 0;
    return err;
}

const char *op_file_folder(void)
{
    const char *folder = getenv("TMPDIR");

    return folder && *folder ? folder : "/tmp";
}

int op_file_init(struct op_file *f)
{
    char path[4096];
    int fd;

    *f = (struct op_file){.sink.put = file_put};
    snprintf(path, sizeof path, "%.4000s/heapyard-XXXXXX", op_file_folder());
    fd = mkstemp(path);
    if (fd < 0)
        return errno;
    remove(path);
    f->file = fdopen(fd, "w+");
    return f->file ? 0 : errno;
}

void op_file_free(struct op_file *f)
{
    if (f->file)
        fclose(f->file);
    free(f->names);
    *f = (struct op_file){0};
}

int op_file_rewind(struct op_file *f)
{
    return fflush(f->file) || fseek(f->file, 0, SEEK_SET) ? errno : 0;
}

int op_file_take(struct op_file *f, struct op *op, int *is_end)
{
    struct packed p;

    *is_end = fread(&p, sizeof p, 1, f->file) != 1;
    if (*is_end)
        return ferror(f->file) ? EIO : 0;
    *op = (struct op){.kind = (enum op_kind)p.kind,
                      .thread = p.thread,
                      .align_log2 = p.align_log2,
                      .object = p.object,
                      .size = p.size};
    if (op->kind == OP_MARK) {
        op->name = f->names[p.object];
        op->object = 0;
    }
    return 0;
}
