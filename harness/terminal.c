/* terminal.c - how wide a table may be.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _DEFAULT_SOURCE /* struct winsize */

#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_MIN = 80, WIDTH_PIPE = 100 };

unsigned terminal_width(void)
{
    struct winsize size;

    if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) &&
        size.ws_col >= WIDTH_MIN)
        return size.ws_col;
    return WIDTH_PIPE;
}
