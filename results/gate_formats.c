/* gate_formats.c - the formats that the report of the gate can be had in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate.h"

#include <string.h>

#include "gate_writers.h"

const struct gate_format gate_formats[] = {
    {"csv", "all figures, one row a cell (results/README.md)", gate_csv_write},
    {"junit", "XML that continuous integration shows as tests",
     gate_junit_write},
    {"markdown", "a page for GitHub's step summary, or a comment",
     gate_markdown_write},
    {"annotations", "GitHub workflow commands: ::error, ::warning, ::notice",
     gate_annotations_write},
    {"benchstat", "Go benchmark format, both sides: benchstat -col /side FILE",
     gate_benchstat_write},
    {"google-benchmark", "JSON of google/benchmark: times of the candidate",
     gate_google_write},
    {"github-action-benchmark", "its customSmallerIsBetter: candidate",
     gate_action_write},
    {"bencher", "Bencher Metric Format: candidate", gate_bencher_write},
    {NULL, NULL, NULL},
};

const struct gate_format *gate_format_find(const char *name)
{
    for (const struct gate_format *f = gate_formats; f->name; f++)
        if (!strcmp(f->name, name))
            return f;
    return NULL;
}
