/* test_gate_formats.c - the reports of the gate: each is read back by a parser
 * of its format, or held against its grammar.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "csv.h"
#include "gate.h"
#include "gate_text.h"
#include "report.h"

enum { PAIRS = 8, CELLS = 8 };

/* Names with all that a format might trip over: quotes, markup, separators,
 * a newline, an escape, bytes that are no UTF-8, 0xfffe, a cut character. */
#define HOSTILE                                                                \
    "a\"b'c,<d>&e|f`g*h_i%j\nk\033[31ml]]>--m\xff\xc3(n\xed\xa0\x80o\xef\xbf"  \
    "\xbep::error::q /r=s\\t\xc3\xa9-8\xc3"

/* Question marks by themselves, lest they make trigraphs. */
#define HOSTILE_CLEAN                                                          \
    "a\"b'c,<d>&e|f`g*h_i%j k [31ml]]>--m\?\?(n\?\?\?o\?\?\?p::error::q "      \
    "/r=s\\t\xc3\xa9-8\?"

static const double slow[PAIRS] = {110, 112, 108, 111, 109, 113, 110, 107};
static const double quick[PAIRS] = {100, 101, 99, 100, 102, 98, 100, 97.5};
static const double holes[PAIRS] = {1, NAN, 3, 4, INFINITY, 6, 7, 8};

static const struct gate_cell cells[CELLS] = {
    {.key = {.workload = "server-sim:profile=B",
             .threads = 2,
             .scale = 1,
             .seed = 18446744073709551615u,
             .allocator = "slab",
             .meter = "time",
             .touch = "page"},
     .metric = "wall",
     .unit = "ns",
     .tier = GATE_PAIRED,
     .less_is_better = 1,
     .base = 100,
     .candidate = 110,
     .ratio = {1.1, 1.08, 1.12},
     .margin = 0.02,
     .p = 0.0001,
     .detectable = 0.03,
     .pairs = PAIRS,
     .verdict = GATE_UNCHANGED, /* listed first, so that order is tested */
     .why = "it stayed within the margin",
     .base_values = quick,
     .candidate_values = slow},
    {.key =
         {.workload = "queue", .threads = 1, .scale = 1, .allocator = "slab"},
     .metric = "wall",
     .unit = "ns",
     .tier = GATE_PAIRED,
     .less_is_better = 1,
     .base = 100,
     .candidate = 110,
     .ratio = {1.1, 1.08, 1.12},
     .margin = 0.02,
     .p = 0.0001,
     .detectable = 0.03,
     .pairs = PAIRS,
     .verdict = GATE_REGRESSED,
     .why = "all of the interval is above 100 %, at once",
     .base_values = quick,
     .candidate_values = slow},
    {.key = {.workload = "server-sim:profile=B",
             .threads = 2,
             .scale = 1,
             .allocator = "slab",
             .touch = "page"},
     .metric = "instructions",
     .unit = "1",
     .tier = GATE_EXACT,
     .less_is_better = 1,
     .base = 45633372,
     .candidate = 45000000,
     .ratio = {45000000 / 45633372.0, 45000000 / 45633372.0,
               45000000 / 45633372.0},
     .margin = 0.005,
     .p = NAN,
     .detectable = NAN,
     .pairs = 0,
     .verdict = GATE_IMPROVED,
     .why = "fewer by more than the margin"},
    {.key = {.workload = HOSTILE,
             .threads = 4,
             .scale = 0.5,
             .allocator = "/opt/" HOSTILE,
             .touch = "full"},
     .metric = "rss_peak",
     .unit = "bytes",
     .tier = GATE_PAIRED,
     .less_is_better = 1,
     .base = 4.5,
     .candidate = 5.5,
     .ratio = {1, 0.9, 1.2},
     .margin = 0.03,
     .p = 0.4,
     .detectable = 0.2,
     .pairs = PAIRS,
     .needed = 80,
     .verdict = GATE_UNDECIDED,
     .why = HOSTILE,
     .base_values = holes,
     .candidate_values = holes},
    {.key =
         {.workload = "queue", .threads = 1, .scale = 1, .allocator = "slab"},
     .metric = "leaked_bytes",
     .unit = "bytes",
     .tier = GATE_EXACT,
     .less_is_better = 1,
     .base = 0,
     .candidate = 64,
     .ratio = {NAN, NAN, NAN},
     .margin = 0,
     .p = NAN,
     .detectable = NAN,
     .verdict = GATE_REGRESSED,
     .why = "it leaked nothing before"},
    {.key =
         {.workload = "queue", .threads = 1, .scale = 1, .allocator = "gone"},
     .metric = "wall",
     .unit = "ns",
     .tier = GATE_PAIRED,
     .less_is_better = 1,
     .base = NAN,
     .candidate = NAN,
     .ratio = {NAN, NAN, NAN},
     .margin = 0.02,
     .p = NAN,
     .detectable = NAN,
     .verdict = GATE_REFUSED,
     .why = "the baseline has no ok run"},
    {.key =
         {.workload = "queue", .threads = 1, .scale = 1, .allocator = "slab"},
     .metric = "page_occupancy",
     .at = "mark:peak",
     .unit = "ratio",
     .tier = GATE_EXACT,
     .less_is_better = 0,
     .base = 0.5,
     .candidate = 0.5,
     .ratio = {1, 1, 1},
     .margin = 0.01,
     .p = NAN,
     .detectable = NAN,
     .verdict = GATE_UNCHANGED,
     .why = "the same"},
    {.key =
         {.workload = "queue", .threads = 1, .scale = 1, .allocator = "slab"},
     .metric = "cpu",
     .unit = "ns",
     .tier = GATE_PAIRED,
     .less_is_better = 1,
     .base = 1e-300,
     .candidate = 1e300,
     .ratio = {INFINITY, 1e300, INFINITY},
     .margin = 0.02,
     .p = 1,
     .detectable = 1e9,
     .pairs = 1,
     .verdict = GATE_UNDECIDED,
     .why = "one pair decides nothing"},
};

static const struct gate_report report = {
    .cells = cells,
    .n = CELLS,
    .base_name = "v1.0 (a3f09c1)",
    .candidate_name = HOSTILE,
    .machine = "2 x CPU, \"fast\"",
    .date = "2026-02-03T04:05:06Z",
    .level = 0.01,
};
static const struct gate_report none = {.base_name = "a",
                                        .candidate_name = "b",
                                        .machine = "m",
                                        .date = "2026-02-03T04:05:06Z",
                                        .level = 0.01};

/* What a format makes of a report; to be freed. */
static char *write_text(const char *format, const struct gate_report *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    const struct gate_format *found = gate_format_find(format);
    cr_assert(f && found);
    cr_assert_eq(found->write(r, f), 0);
    fclose(f);
    cr_assert_eq(strlen(text), size, "%s wrote a zero byte", format);
    return text;
}

static json_t *write_json(const char *format, const struct gate_report *r)
{
    json_error_t error;
    char *text = write_text(format, r);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert(root, "%s: %s in\n%s", format, error.text, text);
    free(text);
    return root;
}

static char *print_text(const struct gate_report *r, unsigned width, int colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    cr_assert(f);
    cr_assert_eq(gate_print(r, f, width, colour), 0);
    fclose(f);
    cr_assert_eq(strlen(text), size);
    return text;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static const char *text_of(json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    cr_assert(text, "no text '%s'", key);
    return text;
}

static double number_of(json_t *o, const char *key)
{
    cr_assert(json_is_number(json_object_get(o, key)), "no number '%s'", key);
    return json_number_value(json_object_get(o, key));
}

Test(gate_formats, each_is_found_by_its_name)
{
    for (const struct gate_format *f = gate_formats; f->name; f++) {
        cr_expect_eq(gate_format_find(f->name), f);
        cr_expect(strlen(f->summary) > 0 && strlen(f->summary) < 64);
    }
    cr_expect_null(gate_format_find("xml"));
}

Test(gate_formats, each_tells_of_a_full_disk)
{
    if (access("/dev/full", W_OK))
        cr_skip("no /dev/full");
    for (const struct gate_format *f = gate_formats; f->name; f++) {
        FILE *full = fopen("/dev/full", "w");
        cr_assert(full);
        cr_expect_eq(f->write(&report, full), ENOSPC, "%s", f->name);
        fclose(full);
    }
}

Test(gate_formats, verdicts_have_names_and_are_counted)
{
    size_t all = 0;
    for (int v = 0; v < GATE_VERDICTS; v++) {
        cr_expect(strlen(gate_verdict_name((enum gate_verdict)v)) > 0);
        all += gate_count(&report, (enum gate_verdict)v);
    }
    cr_expect_eq(all, CELLS);
    cr_expect_eq(gate_count(&report, GATE_REGRESSED), 2);
}

/* A locale with a comma may not be here; the rule itself is tested. */
Test(gate_formats, decimals_have_a_point_in_any_locale)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"1,5", "1.5"},
        {"-0,25e-07", "-0.25e-07"},
        {"12", "12"},
        {"1e+20", "1e+20"},
        {"3\xd9\xab"
         "5",
         "3.5"},
        {"7.25", "7.25"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        strcpy(text, cases[i].in);
        real_set_point(text);
        cr_expect_str_eq(text, cases[i].out);
    }
}

Test(gate_formats, texts_become_clean)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
         "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\nb\tc\033d\x7f", "a b c d "},
        {"\xff\xfe", "??"},
        {"\xc0\xaf", "??"},           /* a long form */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* above the last character */
        {"\xef\xbf\xbf", "???"},      /* U+FFFF */
        {"\xc2\x9b", "??"},           /* a control */
        {"cut \xe2\x82", "cut ??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        gate_text_clean(cases[i].in, text, sizeof text);
        cr_expect_str_eq(text, cases[i].out, "case %zu: '%s'", i, text);
    }
    char small[4];
    gate_text_clean("ab\xe2\x82\xac", small, sizeof small);
    cr_expect_str_eq(small, "ab", "a character was cut");
}

Test(gate_formats, values_read_well)
{
    static const struct {
        double value;
        const char *unit, *text;
    } cases[] = {
        {187560000, "ns", "187.6 ms"},
        {1.75, "ns", "1.750 ns"},
        {2e9, "ns", "2 s"},
        {12345, "bytes", "12.06 KiB"},
        {0, "bytes", "0 B"},
        {64, "bytes", "64 B"},
        {45633372, "1", "45633372"},
        {1.08, "ratio", "1.080"},
        {1e300, "1", "1e+300"},
        {-3, "1", "-3"},
        {0.00001, "ratio", "1e-05"},
        {1.5e12, "byte_s", "1500000000000 byte_s"},
        {NAN, "ns", "-"},
        {INFINITY, "1", "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        gate_text_value(cases[i].value, cases[i].unit, text, sizeof text);
        cr_expect_str_eq(text, cases[i].text, "case %zu: %s", i, text);
    }
}

Test(gate_formats, changes_read_well)
{
    static const struct {
        enum gate_tier tier;
        struct interval ratio;
        const char *text;
    } cases[] = {
        {GATE_PAIRED, {1.032, 1.01, 1.054}, "+3.2 % [+1.0, +5.4]"},
        {GATE_PAIRED, {0.5, 0.4, 0.6}, "-50.0 % [-60.0, -40.0]"},
        {GATE_EXACT, {1.0031, 1.0031, 1.0031}, "+0.31 %"},
        {GATE_PAIRED, {12, 11, 13}, "12.0x [11.0, 13.0]"},
        {GATE_PAIRED, {1.5, NAN, NAN}, "+50.0 %"},
        {GATE_PAIRED, {NAN, NAN, NAN}, "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[96];
        struct gate_cell c = {.tier = cases[i].tier, .ratio = cases[i].ratio};
        gate_text_change(&c, text, sizeof text);
        cr_expect_str_eq(text, cases[i].text, "case %zu: %s", i, text);
    }
}

Test(gate_formats, the_sum_leaves_out_what_there_is_none_of)
{
    char text[GATE_TEXT];
    gate_text_sum(&report, text);
    cr_expect_str_eq(text, "2 regressed, 2 undecided, 1 refused, 1 improved, "
                           "2 unchanged of 8 cells");
    struct gate_report one = report;
    one.n = 1;
    gate_text_sum(&one, text);
    cr_expect_str_eq(text, "1 unchanged of 1 cell");
    gate_text_sum(&none, text);
    cr_expect_str_eq(text, "no cells: nothing was compared");
}

Test(gate_formats, names_are_unique)
{
    char names[CELLS][GATE_TEXT];
    for (size_t i = 0; i < CELLS; i++) {
        gate_text_name(&report, &cells[i], names[i]);
        for (size_t j = 0; j < i; j++)
            cr_expect_str_neq(names[i], names[j]);
    }
    struct gate_report alike = report;
    alike.cells = &cells[4];
    alike.n = 1;
    gate_text_name(&alike, &cells[4], names[0]);
    cr_expect_str_eq(names[0], "queue/threads:1/slab/leaked_bytes");
}

/* Every text as long as it may be; sanitizers watch. */
Test(gate_formats, full_texts_are_written_whole)
{
    static struct gate_cell full[2];
    static struct gate_report r;
    for (size_t i = 0; i < 2; i++) {
        full[i] = cells[0];
        memset(full[i].key.workload, '"', sizeof full[i].key.workload - 1);
        memset(full[i].key.allocator, '&', sizeof full[i].key.allocator - 1);
        memset(full[i].key.touch, '|', sizeof full[i].key.touch - 1);
        memset(full[i].metric, '<', sizeof full[i].metric - 1);
        memset(full[i].at, ',', sizeof full[i].at - 1);
        memset(full[i].unit, '%', sizeof full[i].unit - 1);
        memset(full[i].why, '\xff', sizeof full[i].why - 1);
        full[i].key.threads = full[i].key.window = full[i].needed = UINT32_MAX;
        full[i].key.scale = 1.2345678901234567e-300;
        full[i].verdict = GATE_UNDECIDED;
    }
    full[1].key.touch[0] = '\0';
    full[1].key.window = 0;
    full[1].key.scale = 1;
    r = report;
    r.cells = full;
    r.n = 2;
    memset(r.base_name, '`', sizeof r.base_name - 1);
    memset(r.candidate_name, '*', sizeof r.candidate_name - 1);
    memset(r.machine, '\'', sizeof r.machine - 1);
    memset(r.date, '9', sizeof r.date - 1);
    for (const struct gate_format *f = gate_formats; f->name; f++)
        free(write_text(f->name, &r));
    char name[GATE_TEXT];
    gate_text_name(&r, &full[0], name);
    cr_expect_str_eq(name + strlen(name) - sizeof full->metric,
                     "/<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<");
    char *text = print_text(&r, 80, 0);
    cr_expect(strstr(text, "2 undecided of 2 cells\n"));
    free(text);
}

/* csv */

/* A temporary file with the text; to be unlinked. */
static void put_file(const char *text, char path[40])
{
    strcpy(path, "/tmp/heapyard-gate-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs(text, f);
    cr_assert_eq(fclose(f), 0);
}

static size_t find_column(const struct csv_record *header, const char *name)
{
    size_t i = 0;
    while (i < header->n && strcmp(header->field[i], name))
        i++;
    cr_assert(i < header->n, "no column '%s'", name);
    return i;
}

Test(gate_formats, csv_reads_back)
{
    char path[40], *text = write_text("csv", &report);
    struct csv_reader *csv;
    struct csv_record record;
    put_file(text, path);
    cr_assert_eq(csv_open(path, &csv), 0);
    cr_assert_eq(csv_next(csv, &record), 0);
    size_t columns = record.n;
    size_t verdict = find_column(&record, "verdict");
    size_t ratio = find_column(&record, "ratio_lo");
    size_t base = find_column(&record, "base_median");
    size_t seed = find_column(&record, "seed");
    size_t threads = find_column(&record, "threads");
    size_t better = find_column(&record, "better");
    for (size_t i = 0; i < CELLS; i++) {
        cr_assert_eq(csv_next(csv, &record), 0);
        cr_assert_eq(record.n, columns);
        cr_expect_str_eq(record.field[verdict],
                         gate_verdict_name(cells[i].verdict));
        cr_expect_str_eq(record.field[better],
                         cells[i].less_is_better ? "less" : "more");
        cr_expect_eq(strtoul(record.field[threads], NULL, 10),
                     cells[i].key.threads);
        cr_expect_eq(strtoull(record.field[seed], NULL, 10), cells[i].key.seed);
        if (isfinite(cells[i].base))
            cr_expect_eq(strtod(record.field[base], NULL), cells[i].base);
        else
            cr_expect_str_empty(record.field[base]);
        if (isfinite(cells[i].ratio.lo))
            cr_expect_eq(strtod(record.field[ratio], NULL), cells[i].ratio.lo);
        else
            cr_expect_str_empty(record.field[ratio]);
    }
    cr_expect_eq(csv_next(csv, &record), ENOENT);
    csv_close(csv);
    unlink(path);
    free(text);
}

/* junit */

/* Run xmllint on the text; its exit status. */
static int lint(const char *text, const char *expression, char *out, int size)
{
    char path[40], command[256];
    put_file(text, path);
    snprintf(command, sizeof command, "xmllint %s '%s' %s 2>&1",
             expression[0] ? "--xpath" : "--noout",
             expression[0] ? expression : "--nonet", path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    size_t n = fread(out, 1, (size_t)size - 1, pipe);
    out[n] = '\0';
    while (n && out[n - 1] == '\n')
        out[--n] = '\0';
    int status = pclose(pipe);
    unlink(path);
    return status;
}

Test(gate_formats, junit_is_well_formed_xml_with_right_counts)
{
    static const struct {
        const char *expression, *value;
    } cases[] = {
        {"count(//testsuite)", "3"},
        {"count(//testcase)", "8"},
        {"count(//failure)", "2"},
        {"count(//skipped)", "3"},
        {"number(/testsuites/@failures)", "2"},
        {"sum(//testsuite/@tests)", "8"},
        {"sum(//testsuite/@failures)", "2"},
        {"sum(//testsuite/@skipped)", "3"},
        {"string(//testsuite[2]/@name)", "queue"},
        {"string(//testsuite[2]/@timestamp)", "2026-02-03T04:05:06"},
        {"count(//testsuite[2]/testcase)", "5"},
        {"string((//failure)[1]/@message)",
         "all of the interval is above 100 %, at once"},
        {"string(//testcase[@classname=\"queue/threads:1/touch:/scale:1/gone\"]"
         "/skipped/@message)",
         "refused: the baseline has no ok run"},
        {"string(//testsuite[3]/@name)", HOSTILE_CLEAN},
    };
    char out[512], *text = write_text("junit", &report);
    if (system("xmllint --version >/dev/null 2>&1"))
        cr_skip("no xmllint (libxml2-utils)");
    cr_assert_eq(lint(text, "", out, sizeof out), 0, "%s\n%s", out, text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(lint(text, cases[i].expression, out, sizeof out), 0);
        cr_expect_str_eq(out, cases[i].value, "%s is '%s'", cases[i].expression,
                         out);
    }
    free(text);
    text = write_text("junit", &none);
    cr_expect_eq(lint(text, "", out, sizeof out), 0, "%s", out);
    free(text);
}

/* markdown */

/* Bars that are not behind a backslash: the borders of a row. */
static size_t count_borders(const char *line, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\\')
            i++;
        else
            n += line[i] == '|';
    }
    return n;
}

Test(gate_formats, markdown_folds_away_what_is_unchanged)
{
    char *text = write_text("markdown", &report);
    const char *fold = strstr(text, "<details>");
    cr_assert(fold);
    cr_expect_eq(count(fold, "| unchanged |"), 2);
    cr_expect_eq(count(text, "| unchanged |"), 2);
    cr_expect_eq(count(text, "| **regressed** |"), 2);
    cr_expect(strstr(text, "| **regressed** |") <
              strstr(text, "| undecided |"));
    cr_expect_eq(count(text, "</details>"), 1);
    cr_expect_eq(
        strncmp(text, "## Gate: 2 regressed, 2 undecided, 1 refused", 44), 0);
    cr_expect_null(strstr(text, "<d>"), "markup of a name got through");
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        if (*line == '|')
            cr_expect_eq(count_borders(line, strcspn(line, "\n")), 10);
    free(text);
    text = write_text("markdown", &none);
    cr_expect_null(strstr(text, "<details>"));
    cr_expect_null(strchr(text, '|'));
    free(text);
}

/* annotations */

Test(gate_formats, annotations_are_a_line_each_worst_first)
{
    static const char *const commands[] = {"error",   "error",   "warning",
                                           "warning", "warning", "notice"};
    enum { COMMANDS = sizeof commands / sizeof commands[0] };
    char *text = write_text("annotations", &report), *rest = text;
    for (size_t i = 0; i < COMMANDS; i++) {
        char *line = rest, lead[32];
        rest = strchr(line, '\n');
        cr_assert(rest, "%zu lines only", i);
        *rest++ = '\0';
        snprintf(lead, sizeof lead, "::%s title=", commands[i]);
        cr_expect_eq(strncmp(line, lead, strlen(lead)), 0, "%s", line);
        char *data = strstr(line + 2, "::");
        cr_assert(data);
        cr_expect_eq(strcspn(line + strlen(lead), ":,"),
                     (size_t)(data - line) - strlen(lead));
        cr_expect(strstr(data, "%0Abaseline "), "%s", data);
        for (const char *p = strchr(line, '%'); p; p = strchr(p + 1, '%'))
            cr_expect(isxdigit((unsigned char)p[1]) &&
                          isxdigit((unsigned char)p[2]),
                      "a per cent sign by itself: %s", p);
    }
    cr_expect_str_empty(rest);
    cr_expect(strstr(text, "above 100 %25, at once"));
    free(text);
    text = write_text("annotations", &none);
    cr_expect_str_empty(text);
    free(text);
}

/* benchstat */

/* A result by the grammar of golang.org/design/14313: fields without spaces,
 * a name that begins with Benchmark and an upper-case letter, a count, then
 * a number and a unit. */
static void check_result(const char *line)
{
    char name[2048], iterations[16], value[64], unit[256], rest[2];
    int fields = sscanf(line, "%2047s %15s %63s %255s %1s", name, iterations,
                        value, unit, rest);
    char *end;
    cr_assert_eq(fields, 4, "%d fields: %s", fields, line);
    cr_expect_eq(strncmp(name, "BenchmarkH", 10), 0);
    cr_expect_str_eq(iterations, "1");
    cr_expect(isfinite(strtod(value, &end)) && !*end, "value %s", value);
    const char *dash = strrchr(name, '-');
    cr_expect(!dash || strspn(dash + 1, "0123456789") != strlen(dash + 1),
              "the name ends like one with GOMAXPROCS: %s", name);
    /* every part after the first is /key=value */
    for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/'))
        cr_expect(strcspn(p + 1, "=") < strcspn(p + 1, "/"), "%s", p);
    for (const char *p = line; *p; p++)
        cr_expect((*p > ' ' && *p < 0x7f) || *p == ' ' || *p == '\t');
}

Test(gate_formats, benchstat_keeps_to_the_grammar)
{
    char *text = write_text("benchstat", &report);
    size_t results = 0, units = 0, n = 0;
    char *copy = strdup(text);
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        n++;
        if (!strncmp(line, "Benchmark", 9)) {
            check_result(line);
            results++;
        } else if (!strncmp(line, "Unit ", 5)) {
            cr_expect(strstr(line, " better=lower") ||
                      strstr(line, " better=higher"));
            units++;
        } else {
            cr_expect(islower((unsigned char)*line) && strstr(line, ": "), "%s",
                      line);
        }
    }
    free(copy);
    /* wall twice; rss_peak without its two holes; three exact cells and cpu
     * as their medians; the refused one not at all */
    cr_expect_eq(results, 2 * (2 * PAIRS + PAIRS - 2 + 3 + 1));
    cr_expect_eq(count(text, "/side=baseline/"), results / 2);
    cr_expect_eq(units, 6);
    cr_expect_eq(n, results + units + 4);
    cr_expect(strstr(text, "\nUnit wall-ns better=lower\n"));
    cr_expect(strstr(text, "\nUnit instructions better=lower assume=exact\n"));
    cr_expect(
        strstr(text, "\nUnit page_occupancy better=higher assume=exact\n"));
    cr_expect(strstr(text, "/workload=queue/alloc=slab/scale=1/side=candidate/"
                           "threads=1\t1\t112 wall-ns\n"));
    free(text);
}

/* JSON */

Test(gate_formats, google_benchmark_has_its_members)
{
    json_t *root = write_json("google-benchmark", &report);
    json_t *context = json_object_get(root, "context");
    json_t *list = json_object_get(root, "benchmarks");
    cr_expect_eq(number_of(context, "json_schema_version"), 1);
    cr_expect_str_eq(text_of(context, "date"), "2026-02-03T04:05:06Z");
    cr_expect_str_eq(text_of(context, "host_name"), report.machine);
    /* wall twice with its median, cpu once without */
    cr_assert_eq(json_array_size(list), 2 * (PAIRS + 1) + 1);
    for (size_t i = 0; i < 2 * (PAIRS + 1); i++) {
        json_t *run = json_array_get(list, i);
        size_t at = i % (PAIRS + 1);
        cr_expect_eq(number_of(run, "family_index"), i / (PAIRS + 1));
        cr_expect_eq(number_of(run, "per_family_instance_index"), 0);
        cr_expect_eq(number_of(run, "repetitions"), PAIRS);
        cr_expect_eq(number_of(run, "threads"), i < PAIRS + 1 ? 2 : 1);
        cr_expect_str_eq(text_of(run, "time_unit"), "ns");
        if (at < PAIRS) {
            cr_expect_str_eq(text_of(run, "run_type"), "iteration");
            cr_expect_str_eq(text_of(run, "name"), text_of(run, "run_name"));
            cr_expect_eq(number_of(run, "repetition_index"), at);
            cr_expect_eq(number_of(run, "iterations"), 1);
            cr_expect_eq(number_of(run, "real_time"), slow[at]);
            cr_expect_eq(number_of(run, "cpu_time"), slow[at]);
        } else {
            cr_expect_str_eq(text_of(run, "run_type"), "aggregate");
            cr_expect_str_eq(text_of(run, "aggregate_name"), "median");
            cr_expect_str_eq(text_of(run, "aggregate_unit"), "time");
            cr_expect(strstr(text_of(run, "name"), "/wall_median"));
            cr_expect_eq(number_of(run, "real_time"), 110);
        }
    }
    json_decref(root);
    root = write_json("google-benchmark", &none);
    cr_expect_eq(json_array_size(json_object_get(root, "benchmarks")), 0);
    json_decref(root);
}

Test(gate_formats, github_action_benchmark_has_what_smaller_is_better_of)
{
    json_t *list = write_json("github-action-benchmark", &report);
    cr_assert_eq(json_array_size(list),
                 CELLS - 2); /* refused; more is better */
    json_t *first = json_array_get(list, 0);
    cr_expect_str_eq(text_of(first, "name"),
                     "server-sim:profile=B/threads:2/touch:page/scale:1/slab/"
                     "wall");
    cr_expect_str_eq(text_of(first, "unit"), "ns");
    cr_expect_eq(number_of(first, "value"), 110);
    double lo, hi;
    cr_assert_eq(sscanf(text_of(first, "range"), "%lf to %lf", &lo, &hi), 2);
    cr_expect(107 <= lo && lo <= 110 && 110 <= hi && hi <= 113);
    cr_expect(strstr(text_of(first, "extra"), "unchanged: baseline 100 ns"));
    json_t *exact = json_array_get(list, 2);
    cr_expect_eq(number_of(exact, "value"), 45000000);
    cr_expect_null(json_object_get(exact, "range"));
    json_decref(list);
    list = write_json("github-action-benchmark", &none);
    cr_expect_eq(json_array_size(list), 0);
    json_decref(list);
}

Test(gate_formats, bencher_groups_measures_by_benchmark)
{
    json_t *root = write_json("bencher", &report);
    json_t *server = json_object_get(
        root, "server-sim:profile=B/threads:2/touch:page/scale:1/slab");
    cr_assert(server);
    cr_expect_eq(json_object_size(server), 2);
    json_t *wall = json_object_get(server, "wall");
    cr_expect_eq(number_of(wall, "value"), 110);
    cr_expect(number_of(wall, "lower_value") <= 110);
    cr_expect(number_of(wall, "upper_value") >= 110);
    json_t *exact = json_object_get(server, "instructions");
    cr_expect_eq(number_of(exact, "value"), 45000000);
    cr_expect_eq(json_object_size(exact), 1);
    size_t measures = 0;
    const char *name;
    json_t *benchmark;
    json_object_foreach(root, name, benchmark) measures +=
        json_object_size(benchmark);
    cr_expect_eq(measures, CELLS - 1); /* not the refused one */
    json_decref(root);
    root = write_json("bencher", &none);
    cr_expect(json_is_object(root) && json_object_size(root) == 0);
    json_decref(root);
}

/* the terminal */

static size_t columns_of(const char *line, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)line[i] & 0xc0) != 0x80;
    return n;
}

Test(gate_formats, the_table_fits_its_width)
{
    for (unsigned width = 80; width < 240; width++) {
        char *text = print_text(&report, width, 0);
        const char *line = strstr(text, "---");
        const char *end = strstr(line, "\n\n");
        cr_assert(line && end);
        for (; line < end; line += strcspn(line, "\n") + 1)
            cr_expect(columns_of(line, strcspn(line, "\n")) <= width,
                      "width %u: %s", width, text);
        free(text);
    }
}

Test(gate_formats, the_table_is_worst_first_and_sums_up_last)
{
    char *text = print_text(&report, 120, 0);
    const char *sum = "2 regressed, 2 undecided, 1 refused, 1 improved, "
                      "2 unchanged of 8 cells\n";
    cr_assert(strlen(text) > strlen(sum));
    cr_expect_str_eq(text + strlen(text) - strlen(sum), sum);
    const char *table = strstr(text, "---");
    cr_expect(strstr(table, "\nregressed ") < strstr(table, "\nundecided "));
    cr_expect(strstr(table, "\nimproved ") < strstr(table, "\nunchanged "));
    cr_expect(
        strstr(text, "wall: all of the interval is above 100 %, at once"));
    cr_expect_null(strstr(text, "it stayed within the margin"),
                   "unchanged cells need no sentence");
    cr_expect_null(strchr(text, '\033'));
    free(text);
    text = print_text(&report, 120, 1);
    cr_expect(strstr(text, "\033[1;31mregressed  queue/1"));
    cr_expect_null(strstr(text, "\033[31ml"),
                   "an escape of a name got through");
    free(text);
    text = print_text(&none, 80, 0);
    cr_expect(strstr(text, "no cells: nothing was compared\n"));
    free(text);
}
