/* fuzz_import.c - any bytes are a trace of another program or are refused with
 * a reason, and what comes of them is well formed.
 *
 * The first byte chooses: the format (or to sniff it) in its low bits, strict
 * or not in bit 7; the rest is the input, which may be packed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "import_text.h"
#include "ledger.h"

enum { STRICT = 0x80 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct trace_format *chosen(unsigned choice)
{
    size_t n = 0;

    while (trace_formats[n])
        n++;
    return trace_formats[choice % (n + 1)]; /* NULL: sniff */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger ledger;

    if (size < 1)
        return 0;
    if (ledger_init(&ledger))
        abort();
    struct imported r = import_bytes(chosen(data[0] & ~STRICT), data + 1,
                                     size - 1, data[0] & STRICT, &ledger.sink);
    /* sizes may add up to more than a trace can hold; nothing else is bad */
    if (r.sink_err && !strstr(ledger.why, "live bytes pass"))
        abort();
    if (r.err && r.format && !r.sink_err && !r.why[0])
        abort(); /* refused without a reason */
    ledger_free(&ledger);
    return 0;
}
