# heap-page.gp - what the charts of a heap share: page, colours, legend.
#
# Expects: scripts, image, format ("svg" or "png"), title, subtitle, caption.
# Gives:   colour(d, a): of blocks of up to 16 << d bytes, a of 0..1 strong;
#          kind_colour(kind); swatch(...) below.
#
# A hue stands for a size, on a log scale; all hues are about equally dark, so
# that strength can stand for occupancy.
#
# SPDX-License-Identifier: Apache-2.0

load scripts."/palette.gp"

page_width = 1280
page_height = 720
if (format eq "svg") {
    set terminal svg noenhanced size page_width,page_height dynamic \
        font "Helvetica,16" background "white" linewidth 1.5
} else {
    set terminal pngcairo noenhanced size page_width*1.5,page_height*1.5 \
        font "Liberation Sans,16" fontscale 1.5 linewidth 2.25 \
        background "white"
}
set output image
set encoding utf8
set datafile separator "\t"
unset key

set label 1 title at screen 0.02,1.0-34.0/page_height font ",24" \
    textcolor rgb ink left
set label 2 subtitle at screen 0.02,1.0-66.0/page_height font ",17" \
    textcolor rgb ink left
set label 3 caption at screen 0.02,46.0/page_height font ",13" \
    textcolor rgb grey left

# One hue every two doublings, from 16 B; between them a blend.
hues = "0x5B2C8A 0x2F5FD0 0x0093B8 0x12915A 0x7A9A00 0xD08700 0xD9480F " \
    . "0xB5123F 0x5E0B2B"
hue(i) = int(word(hues, 1 + i))
last_hue = words(hues) - 1
red(c) = (c / 65536) % 256
green(c) = (c / 256) % 256
blue(c) = c % 256
blend(a, b, t) = int(a + (b - a) * t + 0.5)
mix(c, d, t) = blend(red(c), red(d), t) * 65536 \
    + blend(green(c), green(d), t) * 256 + blend(blue(c), blue(d), t)
pure(d) = d >= 2 * last_hue ? hue(last_hue) \
    : mix(hue(int(d) / 2), hue(int(d) / 2 + 1), (int(d) % 2) / 2.0)
colour(d, a) = mix(0xFFFFFF, pure(d), 0.15 + 0.85 * a)

# By enum page_kind; then a gap, and no cell.
kind_colours = "0 0xBDBDBD 0x222222 0xF3F3F3 0xFFE100 0xFFFFFF"
kind_colour(kind) = int(word(kind_colours, 1 + int(kind)))
free_colour = kind_colour(1)
records_colour = kind_colour(2)

size_name(d) = d < 6 ? sprintf("%d B", 16 << d) \
    : d < 16 ? sprintf("%d KiB", 1 << (d - 6)) : sprintf("%d MiB", 1 << (d - 16))
