/* fuzz_knobs.c - any text after "workload:" is read or refused with a reason.
 *
 * The first byte chooses the workload, the others are the text.  Whatever is
 * accepted must lie in its knob's range; whatever is refused must come with a
 * one-line message that ends in its buffer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

enum { TEXT_MAX = 4096, WHY_SIZE = 96 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(const struct workload *w,
                         const struct knob_values *values)
{
    for (size_t i = 0; w->knobs[i].name; i++)
        if (!(values->v[i] >= w->knobs[i].min &&
              values->v[i] <= w->knobs[i].max))
            abort();
}

static void check_reason(int err, const char why[WHY_SIZE])
{
    if (err != EINVAL || why[0] == '\0' || !memchr(why, '\0', WHY_SIZE))
        abort();
    for (const char *c = why; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX], why[WHY_SIZE] = "";
    struct knob_values values;
    size_t count = 0;

    if (size < 1 || size > TEXT_MAX)
        return 0;
    while (workloads[count])
        count++;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';

    const struct workload *w = workloads[data[0] % count];
    int err = workload_knobs(w, text, &values, why, sizeof why);
    if (err)
        check_reason(err, why);
    else
        check_values(w, &values);
    return 0;
}
