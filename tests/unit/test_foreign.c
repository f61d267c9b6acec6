/* test_foreign.c - libraries of others: found, refused, proved live.
 *
 * What needs a preloaded process runs this program again as
 * `test_foreign --child WHAT [PATH]` with LD_PRELOAD set.  Files that must be
 * refused are made from a minimal ELF library, built here byte by byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* dladdr, mkdtemp */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator.h"
#include "foreign.h"
#include "malloc_stats.h"

/* A sanitizer's runtime must be the first library: nothing can be preloaded
 * before it. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { CAN_PRELOAD = 0 };
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { CAN_PRELOAD = 0 };
#else
enum { CAN_PRELOAD = 1 };
#endif
#else
enum { CAN_PRELOAD = 1 };
#endif

/* ---- the child ---- */

enum { BLOCKS = 1000, LARGE_EVERY = 100 };

/* Blocks that a thread leaves, and what they hold. */
struct known_blocks {
    const struct allocator *a;
    struct heap *heap;
    void *p[BLOCKS];
    size_t bytes, count;
};

/* Allocate all, then free every other one, so that caches are not empty. */
static void *allocate_blocks(void *arg)
{
    struct known_blocks *k = arg;
    k->bytes = k->count = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        const size_t size = i % LARGE_EVERY ? i % 300 + 1 : 100000 + 1000 * i;
        k->p[i] = memset(k->a->alloc(k->heap, size, 0), 1, size);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 2) {
            k->a->dealloc(k->heap, k->p[i], 0);
            k->p[i] = NULL;
        } else {
            k->bytes += k->a->usable(k->heap, k->p[i], 0);
            k->count++;
        }
    }
    return NULL;
}

static void *free_blocks(void *arg)
{
    struct known_blocks *k = arg;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (k->p[i])
            k->a->dealloc(k->heap, k->p[i], 0);
    }
    return NULL;
}

static void in_a_thread(void *(*work)(void *), struct known_blocks *k)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, k) || pthread_join(thread, NULL))
        abort();
}

static void here(void *(*work)(void *), struct known_blocks *k)
{
    (void)work(k);
}

/* Prints: error, live bytes and blocks gained, the same as known, live bytes
 * gained after all was freed. */
static int child_stats(void (*run)(void *(*)(void *), struct known_blocks *))
{
    static struct known_blocks k;
    const struct heap_config config = {.threads = 1};
    struct heap_report before, with, after;
    k.a = allocator_find("system");
    if (k.a->open(&config, &k.heap))
        return 1;
    run(allocate_blocks, &k); /* what threads cost stays cached */
    run(free_blocks, &k);
    const int err = k.a->inspect(k.heap, &before);
    run(allocate_blocks, &k);
    (void)k.a->inspect(k.heap, &with);
    run(free_blocks, &k);
    (void)k.a->inspect(k.heap, &after);
    if (err)
        printf("%d 0 0 0 0 0\n", err);
    else
        printf("0 %zu %zu %zu %zu %zu\n", with.live_bytes - before.live_bytes,
               with.live_blocks - before.live_blocks, k.bytes, k.count,
               after.live_bytes - before.live_bytes);
    return 0;
}

static int child(int argc, char **argv)
{
    char text[FOREIGN_WHY_MAX] = "";
    if (strcmp(argv[2], "served") == 0) {
        foreign_served_by(text, sizeof text);
        printf("%s", text);
        return 0;
    }
    if (strcmp(argv[2], "verify") == 0 && argc > 3) {
        const int err = foreign_verify(argv[3], text, sizeof text);
        printf("%d %s", err, text);
        return 0;
    }
    if (strcmp(argv[2], "stats-here") == 0)
        return child_stats(here);
    return strcmp(argv[2], "stats") == 0 ? child_stats(in_a_thread) : 2;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return child(argc, argv);
    struct criterion_test_set *tests = criterion_initialize();
    int result = 0;
    if (criterion_handle_args(argc, argv, true))
        result = !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return result;
}

/* ---- helpers ---- */

/* Run the child with `library` preloaded (or "") and take what it prints.
 * Its environment is empty otherwise: Criterion's would make it a worker. */
static void run_child(const char *library, const char *arguments,
                      char out[FOREIGN_WHY_MAX])
{
    char self[PATH_MAX] = "", command[3 * PATH_MAX];
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    snprintf(command, sizeof command,
             "env -i LD_PRELOAD='%s' '%s' --child %s 2>/dev/null", library,
             self, arguments);
    FILE *f = popen(command, "r");
    cr_assert_not_null(f);
    const size_t n = fread(out, 1, FOREIGN_WHY_MAX - 1, f);
    out[n] = 0;
    cr_assert_eq(pclose(f), 0, "%s", command);
}

static void child_verifies(const char *library, const char *path,
                           char out[FOREIGN_WHY_MAX])
{
    char arguments[PATH_MAX + 16];
    snprintf(arguments, sizeof arguments, "verify '%s'", path);
    run_child(library, arguments, out);
}

static bool find(const char *name, char path[PATH_MAX])
{
    char why[FOREIGN_WHY_MAX];
    return foreign_find(name, path, PATH_MAX, why, sizeof why) == 0;
}

static const char *c_library(void)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    cr_assert(symbol && dladdr(symbol, &info));
    return info.dli_fname;
}

static char folder[] = "/tmp/heapyard-foreign-XXXXXX";

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[PATH_MAX];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

static void write_file(const char *name, const void *bytes, size_t n,
                       char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    cr_assert_eq(fclose(f), 0);
}

/* The smallest library that is accepted: two symbols, no code. */
struct tiny_elf {
    ElfW(Ehdr) header;
    ElfW(Sym) symbol[3];
    char names[16];
    ElfW(Shdr) section[3];
};

static struct tiny_elf tiny_elf(void)
{
    struct tiny_elf elf;
    memset(&elf, 0, sizeof elf);
    FILE *f = fopen("/proc/self/exe", "rb");
    cr_assert_not_null(f);
    cr_assert_eq(fread(&elf.header, sizeof elf.header, 1, f), 1);
    fclose(f);
    elf.header.e_type = ET_DYN;
    elf.header.e_shoff = offsetof(struct tiny_elf, section);
    elf.header.e_shnum = 3;
    elf.header.e_phnum = 0;
    memcpy(elf.names, "\0malloc\0free", 13);
    for (int i = 1; i < 3; i++) {
        elf.symbol[i].st_name = i == 1 ? 1 : 8;
        elf.symbol[i].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
        elf.symbol[i].st_shndx = 1;
    }
    elf.section[1] = (ElfW(Shdr)){
        .sh_type = SHT_DYNSYM,
        .sh_link = 2,
        .sh_offset = offsetof(struct tiny_elf, symbol),
        .sh_size = sizeof elf.symbol,
        .sh_entsize = sizeof *elf.symbol,
    };
    elf.section[2] = (ElfW(Shdr)){
        .sh_type = SHT_STRTAB,
        .sh_offset = offsetof(struct tiny_elf, names),
        .sh_size = sizeof elf.names,
    };
    return elf;
}

static int check_bytes(const void *bytes, size_t n, char *why)
{
    char path[PATH_MAX];
    write_file("made.so", bytes, n, path);
    why[0] = 0;
    return foreign_check(path, why, FOREIGN_WHY_MAX);
}

/* ---- finding and refusing ---- */

Test(foreign, known_names_are_found_or_their_package_is_named)
{
    for (size_t i = 0; foreign_names[i]; i++) {
        char path[PATH_MAX] = "", why[FOREIGN_WHY_MAX];
        const int err =
            foreign_find(foreign_names[i], path, sizeof path, why, sizeof why);
        if (err) {
            cr_assert_eq(err, ENOENT, "%s", why);
            cr_assert_not_null(strstr(why, "apt-get install lib"));
            continue;
        }
        cr_assert_eq(path[0], '/');
        cr_assert_not_null(strstr(path, foreign_names[i]));
        cr_assert_eq(access(path, R_OK), 0);
    }
}

Test(foreign, unknown_names_and_bad_files_are_refused_with_a_reason)
{
    char libm[PATH_MAX + 16];
    snprintf(libm, sizeof libm, "%s", c_library());
    strcpy(strrchr(libm, '/'), "/libm.so.6");
    const struct {
        const char *name;
        int err;
        const char *reason;
    } bad[] = {
        {"", ENOENT, "no allocator ''"},
        {"jemalloc2", ENOENT, "no allocator 'jemalloc2'"},
        {"/nonexistent/libx.so", ENOENT, "No such file"},
        {"/", EISDIR, "directory"},
        {"/dev/null", EINVAL, "not a regular file"},
        {"/etc/passwd", EINVAL, "not an ELF file"},
        {"/proc/self/exe", EINVAL, "is a program"},
        {libm, EINVAL, "does not define malloc"},
        {c_library(), EINVAL, "C library itself"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[PATH_MAX], why[FOREIGN_WHY_MAX];
        const int err =
            foreign_find(bad[i].name, path, sizeof path, why, sizeof why);
        cr_assert_eq(err, bad[i].err, "%s: %d %s", bad[i].name, err, why);
        cr_assert_not_null(strstr(why, bad[i].reason), "%s", why);
    }
}

Test(foreign, a_pipe_is_refused_without_waiting, .init = make_folder,
     .fini = remove_folder, .timeout = 5)
{
    char path[PATH_MAX], why[FOREIGN_WHY_MAX];
    snprintf(path, sizeof path, "%s/pipe", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(foreign_check(path, why, sizeof why), EINVAL);
}

Test(foreign, the_minimal_library_is_accepted, .init = make_folder,
     .fini = remove_folder)
{
    const struct tiny_elf elf = tiny_elf();
    char why[FOREIGN_WHY_MAX];
    cr_assert_eq(check_bytes(&elf, sizeof elf, why), 0, "%s", why);
}

static void be_32_bit(struct tiny_elf *elf)
{
    elf->header.e_ident[EI_CLASS] = ELFCLASS32;
}
static void be_big_endian(struct tiny_elf *elf)
{
    elf->header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
}
static void be_foreign(struct tiny_elf *elf)
{
    elf->header.e_machine++;
}
static void be_an_object(struct tiny_elf *elf)
{
    elf->header.e_type = ET_REL;
}
static void lose_sections(struct tiny_elf *elf)
{
    elf->header.e_shnum = 0;
}
static void lose_symbols(struct tiny_elf *elf)
{
    elf->section[1].sh_type = SHT_NOTE;
}
static void import_malloc(struct tiny_elf *elf)
{
    elf->symbol[1].st_shndx = SHN_UNDEF;
}
static void hide_free(struct tiny_elf *elf)
{
    elf->symbol[2].st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
}
static void link_nowhere(struct tiny_elf *elf)
{
    elf->section[1].sh_link = 3;
}
static void point_beyond(struct tiny_elf *elf)
{
    elf->section[1].sh_offset = UINT64_MAX - 8;
}
static void count_for_ever(struct tiny_elf *elf)
{
    elf->section[1].sh_size = UINT64_MAX;
}

Test(foreign, damaged_libraries_are_refused_with_a_reason, .init = make_folder,
     .fini = remove_folder)
{
    static const struct {
        void (*damage)(struct tiny_elf *);
        const char *reason;
    } cases[] = {
        {be_32_bit, "is a 32-bit library"},
        {be_big_endian, "another byte order"},
        {be_foreign, "another processor"},
        {be_an_object, "not a shared library"},
        {lose_sections, "no table of sections"},
        {lose_symbols, "no dynamic symbols"},
        {import_malloc, "does not define malloc"},
        {hide_free, "does not define malloc and free"},
        {link_nowhere, "damaged table"},
        {point_beyond, "cut off"},
        {count_for_ever, "damaged table"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tiny_elf elf = tiny_elf();
        char why[FOREIGN_WHY_MAX];
        cases[i].damage(&elf);
        cr_assert_eq(check_bytes(&elf, sizeof elf, why), EINVAL);
        cr_assert_not_null(strstr(why, cases[i].reason), "%s", why);
    }
}

Test(foreign, no_cut_or_changed_byte_crashes_the_check, .init = make_folder,
     .fini = remove_folder)
{
    const struct tiny_elf good = tiny_elf();
    char why[FOREIGN_WHY_MAX];
    for (size_t n = 0; n < sizeof good; n++)
        cr_assert_eq(check_bytes(&good, n, why), EINVAL, "%zu bytes", n);
    static const unsigned char change[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < sizeof good; i++) {
        for (size_t c = 0; c < sizeof change; c++) {
            struct tiny_elf elf = good;
            ((unsigned char *)&elf)[i] ^= change[c];
            const int err = check_bytes(&elf, sizeof elf, why);
            cr_assert(err == 0 || err == EINVAL);
            cr_assert(err == 0 || strstr(why, "made.so: "));
        }
    }
}

Test(foreign, paths_that_ld_preload_would_split_are_refused,
     .init = make_folder, .fini = remove_folder)
{
    static const char *const names[] = {"a b.so", "a:b.so", "a\tb.so",
                                        "a\nb.so"};
    const struct tiny_elf elf = tiny_elf();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_MAX], out[PATH_MAX], why[FOREIGN_WHY_MAX];
        write_file(names[i], &elf, sizeof elf, path);
        cr_assert_eq(foreign_find(path, out, sizeof out, why, sizeof why),
                     EINVAL);
        cr_assert_not_null(strstr(why, "LD_PRELOAD"), "%s", why);
    }
}

Test(foreign, paths_are_made_absolute_and_links_resolved, .init = make_folder,
     .fini = remove_folder)
{
    const struct tiny_elf elf = tiny_elf();
    char path[PATH_MAX], out[PATH_MAX], why[FOREIGN_WHY_MAX], real[PATH_MAX];
    write_file("real.so", &elf, sizeof elf, path);
    cr_assert_not_null(realpath(path, real));
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(symlink("real.so", "alias.so"), 0);
    cr_assert_eq(foreign_find("./alias.so", out, sizeof out, why, sizeof why),
                 0, "%s", why);
    cr_assert_str_eq(out, real);
    cr_assert_eq(foreign_find("./alias.so", out, 8, why, sizeof why),
                 ENAMETOOLONG);
    cr_assert_eq(chdir("/"), 0);
}

/* ---- in a preloaded process ---- */

Test(foreign, without_preload_the_c_library_serves)
{
    if (!CAN_PRELOAD)
        cr_skip_test("a sanitizer serves malloc");
    char out[FOREIGN_WHY_MAX];
    run_child("", "served", out);
    cr_assert_not_null(strstr(out, "libc"), "%s", out);
    cr_assert_not_null(strstr(out, " glibc 2."), "%s", out);
}

Test(foreign, a_preloaded_library_is_proved_live_and_named)
{
    if (!CAN_PRELOAD)
        cr_skip_test("nothing can be preloaded before a sanitizer");
    for (size_t i = 0; foreign_names[i]; i++) {
        char path[PATH_MAX], out[FOREIGN_WHY_MAX];
        if (!find(foreign_names[i], path))
            continue;
        child_verifies(path, path, out);
        cr_assert_str_eq(out, "0 ", "%s", out);
        run_child(path, "served", out);
        const char *base = strrchr(path, '/') + 1;
        cr_assert_eq(strncmp(out, base, strlen(base)), 0, "%s", out);
        const char *version = out + strlen(base);
        cr_assert_eq(version[0], ' ');
        cr_assert_not_null(strpbrk(version, "0123456789"), "%s", out);
        cr_assert_null(strstr(version, "unknown"), "%s", out);
    }
}

Test(foreign, a_library_that_is_not_in_use_is_found_out, .init = make_folder,
     .fini = remove_folder)
{
    if (!CAN_PRELOAD)
        cr_skip_test("nothing can be preloaded before a sanitizer");
    char text[PATH_MAX], out[FOREIGN_WHY_MAX];
    write_file("text.so", "hello", 5, text);
    child_verifies(text, text, out); /* the linker ignores it */
    cr_assert_eq(atoi(out), EXDEV, "%s", out);
    cr_assert_not_null(strstr(out, "malloc is served by"), "%s", out);
    cr_assert_not_null(strstr(out, "libc.so"), "%s", out);
    child_verifies("", "/nonexistent", out);
    cr_assert_eq(atoi(out), ENOENT, "%s", out);
}

Test(foreign, the_c_library_under_another_name_is_found_out,
     .init = make_folder, .fini = remove_folder)
{
    if (!CAN_PRELOAD)
        cr_skip_test("nothing can be preloaded before a sanitizer");
    char copy[PATH_MAX], command[3 * PATH_MAX], out[FOREIGN_WHY_MAX];
    snprintf(copy, sizeof copy, "%s/libfast.so", folder);
    snprintf(command, sizeof command, "cp -L '%s' '%s'", c_library(), copy);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(foreign_check(copy, out, sizeof out), EINVAL);
    cr_assert_not_null(strstr(out, "C library itself"), "%s", out);
    child_verifies(copy, copy, out);
    cr_assert_neq(atoi(out), 0, "%s", out);
}

/* Serves malloc and free only: calloc would hand out the C library's blocks
 * and free would be called with them. */
static const char half_a_malloc[] =
    "#include <stddef.h>\n"
    "static _Alignas(16) char memory[1 << 20];\n"
    "static size_t used;\n"
    "void *malloc(size_t n) { char *p = memory + used;\n"
    "    used += (n + 31) & ~(size_t)15;\n"
    "    return used <= sizeof memory ? p : NULL; }\n"
    "void free(void *p) { (void)p; }\n";

Test(foreign, half_a_malloc_is_found_out, .init = make_folder,
     .fini = remove_folder)
{
    char source[PATH_MAX], library[PATH_MAX], command[3 * PATH_MAX];
    char out[FOREIGN_WHY_MAX];
    if (!CAN_PRELOAD || system("cc --version > /dev/null 2>&1") != 0)
        cr_skip_test("no compiler, or a sanitizer");
    write_file("half.c", half_a_malloc, sizeof half_a_malloc - 1, source);
    snprintf(library, sizeof library, "%s/half.so", folder);
    snprintf(command, sizeof command,
             "cc -shared -fPIC -fno-builtin -o '%s' '%s'", library, source);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(foreign_check(library, out, sizeof out), 0, "%s", out);
    child_verifies(library, library, out);
    cr_assert_eq(atoi(out), EXDEV, "%s", out);
    cr_assert_not_null(strstr(out, "calloc is served by"), "%s", out);
}

/* ---- what libraries say of themselves ---- */

struct stats {
    int err;
    size_t bytes, blocks, known_bytes, known_blocks, after;
};

static struct stats child_stats_of(const char *library, const char *what)
{
    char out[FOREIGN_WHY_MAX];
    struct stats s;
    run_child(library, what, out);
    cr_assert_eq(sscanf(out, "%d %zu %zu %zu %zu %zu", &s.err, &s.bytes,
                        &s.blocks, &s.known_bytes, &s.known_blocks, &s.after),
                 6, "%s", out);
    return s;
}

static void check_stats(const char *name, const char *library, int err,
                        bool counts_blocks)
{
    static const char *const where[] = {"stats", "stats-here"};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        const struct stats s = child_stats_of(library, where[i]);
        cr_assert_eq(s.err, err, "%s: %d", name, s.err);
        cr_assert_eq(s.bytes, s.known_bytes, "%s, %s: %zu of %zu", name,
                     where[i], s.bytes, s.known_bytes);
        cr_assert_eq(s.blocks, counts_blocks ? s.known_blocks : 0);
        cr_assert_eq(s.after, 0, "%s, %s", name, where[i]);
    }
}

/* Also of blocks that the asking thread itself used. */
Test(foreign, live_bytes_are_exact_where_the_library_can_say)
{
    static const struct {
        const char *name;
        int err;
        bool counts_blocks;
    } libraries[] = {
        {"jemalloc", 0, false},
        {"mimalloc", 0, true},
        {"tcmalloc", 0, false},
        {"tbbmalloc", ENOTSUP, false},
    };
    if (!CAN_PRELOAD)
        cr_skip_test("nothing can be preloaded before a sanitizer");
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        char path[PATH_MAX];
        if (find(libraries[i].name, path))
            check_stats(libraries[i].name, path, libraries[i].err,
                        libraries[i].counts_blocks);
    }
}

/* A chunk has 8 bytes that malloc_usable_size leaves out; 16 if it was mapped
 * on its own. */
Test(foreign, live_bytes_of_glibc_are_whole_chunks)
{
    if (!CAN_PRELOAD)
        cr_skip_test("a sanitizer serves malloc");
    const struct stats s = child_stats_of("", "stats");
    const size_t least = s.known_bytes + 8 * s.known_blocks;
    cr_assert_eq(s.err, 0);
    cr_assert_geq(s.bytes, least);
    cr_assert_leq(s.bytes, least + 8 * (BLOCKS / LARGE_EVERY));
    cr_assert_eq(s.after, 0);
}
