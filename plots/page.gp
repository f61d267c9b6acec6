# page.gp - the page that all charts share: terminal, title, caption, panels.
#
# Expects: scripts, format ("svg" or "png"), image, panels, title, caption,
#          left (room for names left of a panel, as a share of its column),
#          right (the same to its right).
# Gives:   columns, rows; panel(i) sets the margins of panel i (from 0).
#
# SPDX-License-Identifier: Apache-2.0

load scripts."/palette.gp"

columns = panels > 1 ? 2 : 1
rows = panels > 2 ? 2 : 1
page_width = 1280
page_height = rows == 2 ? 1080 : 720

# The PNG has 1.5 times the pixels: full HD for one row of panels.
if (format eq "svg") {
    set terminal svg noenhanced size page_width,page_height dynamic \
        font "Helvetica,16" background "white" linewidth 1.5
} else {
    set terminal pngcairo noenhanced size page_width*1.5,page_height*1.5 \
        font "Liberation Sans,16" fontscale 1.5 linewidth 2.25 pointscale 1.5 \
        background "white"
}
set output image

set encoding utf8
set datafile separator "\t"
set border 3 linecolor rgb grey
set tics nomirror out scale 0.5 textcolor rgb ink font ",14"
unset key

set label 1 title at screen 0.02,1.0-30.0/page_height font ",24" \
    textcolor rgb ink left
set label 2 caption at screen 0.02,66.0/page_height font ",12.5" \
    textcolor rgb grey left
set multiplot

# Margins in shares of the page; the rest is for title, axis and caption.
top_edge = 1 - 118.0 / page_height
bottom_edge = 156.0 / page_height
row_gap = 142.0 / page_height
column_width = 1.0 / columns
row_height = (top_edge - bottom_edge - (rows - 1) * row_gap) / rows
left_of(i) = (i % columns) * column_width + left * column_width
right_of(i) = (i % columns + 1) * column_width - right * column_width
top_of(i) = top_edge - (i / columns) * (row_height + row_gap)

