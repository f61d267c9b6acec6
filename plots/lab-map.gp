# lab-map.gp - the heap of a malloc lab solution over time.
#
# Usage: gnuplot -c lab-map.gp SCRIPTS DATA IMAGE SHAPE TITLE CAPTION
# SHAPE: operations a column, KiB a row, operations in all.  DATA, a line a
# cell: operation at its right edge, KiB at its middle, tenths that are live.
#
# SPDX-License-Identifier: Apache-2.0

scripts = ARG1
data = ARG2
image = ARG3
step = real(word(ARG4, 1))
row = real(word(ARG4, 2))
all = real(word(ARG4, 3))
load scripts."/palette.gp"

set terminal svg noenhanced size 1280,720 dynamic font "Helvetica,16" \
    background "white"
set output image
set encoding utf8
set datafile separator "\t"
set border 3 linecolor rgb grey
set tics nomirror out scale 0.5 textcolor rgb ink font ",14"
unset key
set lmargin at screen 0.09
set rmargin at screen 0.88
set tmargin at screen 0.88
set bmargin at screen 0.16
set label 1 ARG5 at screen 0.02,0.95 font ",24" textcolor rgb ink left
set label 2 ARG6 at screen 0.02,0.03 font ",12.5" textcolor rgb grey left
set xlabel "operations" textcolor rgb ink
set ylabel "KiB of the heap" textcolor rgb ink
set xrange [0:all]
set yrange [0:*]
set cbrange [0:9]
set cblabel "tenths that are live" textcolor rgb ink
set palette defined (0 "#eeeeee", 0.99 "#eeeeee", 1 "#c6dbef", 9 "#08306b")
plot data using ($1 - step / 2):2:(step / 2):(row / 2):3 \
    with boxxyerror fillstyle solid noborder palette
