/* calls.c - a call as text: "calloc(10,20)=0x7f90495120e0".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "calls.h"

#include <string.h>

enum { ARGS_MAX = 5, PAGE = 4096 };

struct call {
    uint64_t thread;
    uint64_t arg[ARGS_MAX];
    int nargs;
    uint64_t result;
    int has_result;
};

static int take_malloc(struct import *im, const struct call *c)
{
    return import_malloc(im, c->thread, c->result, c->arg[0]);
}

static int take_valloc(struct import *im, const struct call *c)
{
    return import_memalign(im, c->thread, c->result, PAGE, c->arg[0]);
}

static int take_calloc(struct import *im, const struct call *c)
{
    return import_calloc(im, c->thread, c->result, c->arg[0], c->arg[1]);
}

static int take_realloc(struct import *im, const struct call *c)
{
    return import_realloc(im, c->thread, c->arg[0], c->result, c->arg[1]);
}

static int take_reallocarray(struct import *im, const struct call *c)
{
    if (c->arg[2] && c->arg[1] > INT64_MAX / c->arg[2])
        return import_bad(im, "a size below 2^63");
    return import_realloc(im, c->thread, c->arg[0], c->result,
                          c->arg[1] * c->arg[2]);
}

/* memalign(ALIGN, SIZE), posix_memalign with or without its pointer. */
static int take_memalign(struct import *im, const struct call *c)
{
    const uint64_t *last = c->arg + c->nargs - 2;

    return import_memalign(im, c->thread, c->result, last[0], last[1]);
}

/* operator new: (SIZE), or (SIZE, ALIGN). */
static int take_new(struct import *im, const struct call *c)
{
    return c->nargs == 1 ? take_malloc(im, c)
                         : import_memalign(im, c->thread, c->result, c->arg[1],
                                           c->arg[0]);
}

static int take_free(struct import *im, const struct call *c)
{
    return import_dealloc(im, c->thread, c->arg[0]);
}

static int take_nothing(struct import *im, const struct call *c)
{
    (void)im;
    (void)c;
    return 0;
}

/* A name that ends in * stands for all that begin so; the first that fits. */
static const struct function {
    const char *name;
    int nargs_min;
    int has_result;
    int (*take)(struct import *, const struct call *);
    const char *want;
} functions[] = {
    {"malloc", 1, 1, take_malloc, "malloc(SIZE) = ADDRESS"},
    {"free", 1, 0, take_free, "free(ADDRESS)"},
    {"calloc", 2, 1, take_calloc, "calloc(N,SIZE) = ADDRESS"},
    {"realloc", 2, 1, take_realloc, "realloc(OLD,SIZE) = ADDRESS"},
    {"reallocf", 2, 1, take_realloc, "reallocf(OLD,SIZE) = ADDRESS"},
    {"reallocarray", 3, 1, take_reallocarray,
     "reallocarray(OLD,N,SIZE) = ADDRESS"},
    {"memalign", 2, 1, take_memalign, "memalign(ALIGN,SIZE) = ADDRESS"},
    {"posix_memalign", 2, 1, take_memalign,
     "posix_memalign(ALIGN,SIZE) = ADDRESS"},
    {"aligned_alloc", 2, 1, take_memalign,
     "aligned_alloc(ALIGN,SIZE) = ADDRESS"},
    {"valloc", 1, 1, take_valloc, "valloc(SIZE) = ADDRESS"},
    {"pvalloc", 1, 1, take_valloc, "pvalloc(SIZE) = ADDRESS"},
    {"_Znw*", 1, 1, take_new, "_Znwm(SIZE) = ADDRESS"},
    {"_Zna*", 1, 1, take_new, "_Znam(SIZE) = ADDRESS"},
    {"__builtin_new", 1, 1, take_new, "__builtin_new(SIZE) = ADDRESS"},
    {"__builtin_vec_new", 1, 1, take_new, "__builtin_vec_new(SIZE) = ADDRESS"},
    {"_Zdl*", 1, 0, take_free, "_ZdlPv(ADDRESS)"},
    {"_Zda*", 1, 0, take_free, "_ZdaPv(ADDRESS)"},
    {"__builtin_delete", 1, 0, take_free, "__builtin_delete(ADDRESS)"},
    {"__builtin_vec_delete", 1, 0, take_free, "__builtin_vec_delete(ADDRESS)"},
    {"cfree", 1, 0, take_free, "cfree(ADDRESS)"},
    {"free_*", 1, 0, take_free, "free_sized(ADDRESS,SIZE)"},
    {"malloc_*", 0, 0, take_nothing, ""}, /* usable_size, trim, stats */
    {"mallinfo*", 0, 0, take_nothing, ""},
    {"mallopt", 0, 0, take_nothing, ""},
    {"jemalloc_*", 0, 0, take_nothing, ""},
};

static const struct function *find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const char *have = functions[i].name;
        size_t length = strlen(have);
        int is_family = have[length - 1] == '*';

        if (is_family ? n + 1 >= length && !memcmp(name, have, length - 1)
                      : n == length && !memcmp(name, have, n))
            return &functions[i];
    }
    return NULL;
}

static int is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

/* "name(": the function, or NULL; *is_call: it has this form at all. */
static const struct function *scan_function(const char **at, int *is_call)
{
    const char *p = *at;

    while (is_name_byte(*p))
        p++;
    *is_call = p > *at && *p == '(';
    if (!*is_call)
        return NULL;
    const struct function *f = find(*at, (size_t)(p - *at));

    *at = p + 1;
    return f;
}

/* "0x10", "#4", "(nil)", "size 5" */
static int scan_value(const char **at, uint64_t *out)
{
    scan_blank(at);
    if (scan_word(at, "(nil)")) {
        *out = 0;
        return 1;
    }
    if (scan_word(at, "al ") || scan_word(at, "size ") ||
        scan_word(at, "fill "))
        scan_blank(at);
    scan_word(at, "#");
    return scan_number(at, out);
}

/* "10,20)" */
static int scan_args(const char **at, struct call *c)
{
    while (!scan_word(at, ")")) {
        if (c->nargs == ARGS_MAX || (c->nargs && !scan_word(at, ",")) ||
            !scan_value(at, &c->arg[c->nargs]))
            return 0;
        c->nargs++;
        scan_blank(at);
    }
    return 1;
}

/* Nothing, "=RESULT", or a nested call and then either. */
static int scan_result(const char **at, struct call *c)
{
    const char *p = *at;

    if (is_name_byte(*p)) {
        const char *equals = strrchr(p, '=');

        p = equals ? equals : p + strlen(p);
    }
    scan_blank(&p);
    c->has_result = scan_word(&p, "=");
    if (c->has_result && !scan_value(&p, &c->result))
        return 0;
    scan_blank(&p);
    *at = p;
    return !*p;
}

int calls_take(struct import *im, uint64_t thread, const char *text)
{
    struct call call = {.thread = thread};
    int is_call;
    const struct function *f = scan_function(&text, &is_call);

    if (!f)
        return import_bad(im, is_call ? "a function that gives or takes memory"
                                      : "FUNCTION(ARGUMENTS) = RESULT");
    if (f->take == take_nothing)
        return 0;
    if (!scan_args(&text, &call) || call.nargs < f->nargs_min ||
        !scan_result(&text, &call))
        return import_bad(im, f->want);
    /* realloc(p, 0) may end in a free, with its result on a line of its own */
    if (f->has_result && !call.has_result &&
        !(f->take == take_realloc && call.arg[1] == 0))
        return import_bad(im, f->want);
    return f->take(im, &call);
}

int calls_is_one(const char *text)
{
    int is_call;
    const struct function *f = scan_function(&text, &is_call);

    return f && f->take != take_nothing;
}
