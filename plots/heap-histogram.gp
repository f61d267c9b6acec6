# heap-histogram.gp - pages of a heap by how full they are, and with what.
#
# Usage: gnuplot -c heap-histogram.gp SCRIPTS DATA IMAGE FORMAT SHAPE TITLE SUBTITLE CAPTION
# SHAPE: two unused words; whether there are free pages, records.  DATA: parts
# of bars (decile, doubling or -2 free, -1 records; from, to MiB), then bars.
#
# SPDX-License-Identifier: Apache-2.0

scripts = ARG1
data = ARG2
image = ARG3
format = ARG4
title = ARG6
subtitle = ARG7
caption = ARG8
load scripts."/heap-page.gp"

set lmargin at screen 0.08
set rmargin at screen 0.80
set tmargin at screen 1 - 110.0 / page_height
set bmargin at screen 128.0 / page_height
set border 1 linecolor rgb grey
set xrange [-0.6:10.6]
set xtics scale 0 textcolor rgb ink font ",14"
set xtics ("none" 0)
do for [d = 1:10] { set xtics add (sprintf("%d–%d", 10 * d - 10, 10 * d) d) }
set xlabel "live bytes of a page, %" offset 0,0.2 textcolor rgb ink font ",14"
set ylabel "MiB of pages" offset 1,0 textcolor rgb ink font ",14"
stats data index 1 using 2 nooutput
set yrange [0:STATS_max > 0 ? STATS_max * 1.12 : 1]
set ytics scale 0 textcolor rgb ink font ",14"
set grid ytics linetype 1 linecolor rgb faint linewidth 0.7

part(k) = k == -2 ? free_colour : k == -1 ? records_colour : pure(k)
sizes = 17
do for [d = 0:sizes-1] {
    y = 1 - (150 + d * 19.0) / page_height
    set object 1 + d rectangle from screen 0.84,y - 9.5 / page_height \
        to screen 0.865,y + 9.5 / page_height fillstyle solid noborder \
        fillcolor rgb pure(d)
    if (d % 2 == 0) {
        name = d == sizes - 1 ? "more" : size_name(d)
        set label 10 + d name \
            at screen 0.872,y font ",13" textcolor rgb ink
    }
}
set label 9 "size of blocks, up to" at screen 0.84,1-126.0/page_height \
    font ",13" textcolor rgb ink
names = "'nothing live' 'records'"
do for [i = 1:2] {
    if (int(word(ARG5, 2 + i))) {
        y = 1 - (150 + sizes * 19.0 + 10 + 24 * i) / page_height
        set object 100 + i rectangle from screen 0.84,y - 9.5 / page_height \
            to screen 0.865,y + 9.5 / page_height fillstyle solid noborder \
            fillcolor rgb kind_colour(i)
        set label 100 + i word(names, i) at screen 0.872,y font ",13" \
            textcolor rgb ink
    }
}
plot data index 0 using 1:3:($1 - 0.42):($1 + 0.42):3:4:(part($2)) \
        with boxxyerror fillstyle solid 1.0 noborder linecolor rgb variable, \
    data index 1 using 1:2:3 with labels center offset 0,0.7 font ",13" \
        textcolor rgb ink
