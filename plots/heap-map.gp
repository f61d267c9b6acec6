# heap-map.gp - a heap by address: a cell some pages.
#
# Usage: gnuplot -c heap-map.gp SCRIPTS DATA IMAGE FORMAT SHAPE TITLE SUBTITLE CAPTION
# SHAPE: columns and rows of the grid; whether it has free cells, records,
# absent ones, gaps.  DATA, a line a dot, 4 x 4 of them a cell: row, column,
# kind, doubling, occupancy; then names of rows: row, MiB above it.
#
# SPDX-License-Identifier: Apache-2.0

scripts = ARG1
data = ARG2
image = ARG3
format = ARG4
columns = int(word(ARG5, 1))
rows = int(word(ARG5, 2))
title = ARG6
subtitle = ARG7
caption = ARG8
load scripts."/heap-page.gp"

set multiplot

# The map.  Cells are square where the heap is tall enough for that.
top = 1 - 92.0 / page_height
bottom = 76.0 / page_height
map_left = 0.075
map_right = 0.80
cell = (map_right - map_left) * page_width / columns
tall = rows * cell
room = (top - bottom) * page_height
if (tall < room) { bottom = top - tall / page_height }
set lmargin at screen map_left
set rmargin at screen map_right
set tmargin at screen top
set bmargin at screen bottom
set xrange [0:columns]
set yrange [rows:0]
set border 15 linecolor rgb grey linewidth 0.5
unset xtics
set ytics scale 0.4 out nomirror textcolor rgb ink font ",13"
rgb(kind, d, a) = kind == 0 ? colour(d, a) : kind_colour(kind)
half = 0.5 / 4 # of a dot
plot data index 0 using ($2 + half):($1 + half):(red(rgb($3, $4, $5))):(green(rgb($3, $4, $5))) \
        :(blue(rgb($3, $4, $5))) with rgbimage, \
    data index 1 using (-1):($1 + 0.5):ytic(2) with points pointtype -1
unset label

# The legend: sizes down, occupancy to the right.
sizes = 17
steps = 5
set lmargin at screen 0.90
set rmargin at screen 0.98
set tmargin at screen 1 - 150.0 / page_height
set bmargin at screen 1 - 150.0 / page_height - sizes * 17.0 / page_height
set xrange [0:steps]
set yrange [sizes:0]
set border 0
set ytics () font ",13" scale 0
do for [d = 0:sizes-1:2] {
    set ytics add ((d == sizes - 1 ? "more" : size_name(d)) d + 0.5)
}
set label 1 "size of blocks up to," at screen 0.83,1-102.0/page_height \
    font ",13" textcolor rgb ink
set label 2 "and share that is live" at screen 0.83,1-120.0/page_height \
    font ",13" textcolor rgb ink
set label 3 "0 %" at screen 0.90,1-140.0/page_height left font ",12" \
    textcolor rgb ink
set label 4 "100 %" at screen 0.98,1-140.0/page_height right font ",12" \
    textcolor rgb ink
set samples 2
do for [d = 0:sizes-1] {
    do for [a = 0:steps-1] {
        set object 1 + d * steps + a rectangle from a,d to a + 1,d + 1 \
            fillstyle solid noborder fillcolor rgb colour(d, a / (steps - 1.0))
    }
}
names = "'nothing live' 'records' 'not in memory' 'gap in addresses'"
k = 0
do for [i = 1:4] {
    if (int(word(ARG5, 2 + i))) {
        y = 1 - (150 + sizes * 17.0 + 24 + 24 * k) / page_height
        set object 900 + i rectangle from screen 0.83,y - 8.0 / page_height \
            to screen 0.85,y + 8.0 / page_height fillstyle solid border \
            linecolor rgb grey fillcolor rgb kind_colour(i)
        set label 10 + i word(names, i) at screen 0.857,y font ",13" \
            textcolor rgb ink
        k = k + 1
    }
}
plot NaN
unset multiplot
