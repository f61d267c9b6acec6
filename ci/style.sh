#!/bin/sh
# style.sh - the rules of style that a program can check.
#
#   ci/style.sh      prints FILE:LINE: what is wrong; exit 1 if anything is
#
# Checked: what stands at the top level; that a file's header names the file
# and its licence; functions of at most 60 lines; no typedef of a struct;
# includes that follow the order of the folders; file names that are unique;
# no paths of one machine; clang-format and shellcheck, where they are
# installed.
#
# A function may be longer if the comment before it says "style: long" and
# why.
#
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/.." || exit 1

export LC_ALL=C
lines_max=60
faults=$(mktemp) || exit 1
list=$(mktemp) || exit 1
trap 'rm -f "$faults" "$list"' EXIT
trap 'exit 130' INT TERM

fault() { printf '%s\n' "$*" >>"$faults"; }

# The files of the project: what git tracks or would track; without git, all.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard
else
    find . -type f -not -path './.git/*' -not -path './build/*' -not -path './results/out/*' \
        -not -path './plots/out/*' | sed 's|^\./||'
fi | sort -u | while IFS= read -r file; do
    [ ! -f "$file" ] || printf '%s\n' "$file"
done >"$list"

c_files() { grep -E '\.[ch]$' "$list"; }
scripts() {
    grep -E '\.(sh|gp|awk)$|^ci/|^\.ci/' "$list" | grep -vE '\.(md|supp)$' | sort -u
}

check_top_level() {
    sed 's|/.*||' "$list" | sort -u | while IFS= read -r name; do
        case $name in
        CMakeLists.txt | CMakePresets.json | README.md | LICENSE | Makefile) ;;
        allocators | workloads | harness | results | plots | tests | ci) ;;
        .*) ;;
        *) fault "$name: may not stand at the top level" ;;
        esac
    done
}

# NAME must stand in the first lines, as "/* NAME - " or "# NAME - ".
check_headers() {
    c_files | while IFS= read -r file; do
        head -n 1 "$file" | grep -qF "/* ${file##*/} - " ||
            fault "$file:1: the first line is not '/* ${file##*/} - PURPOSE'"
    done
    scripts | while IFS= read -r file; do
        head -n 3 "$file" | grep -qF "# ${file##*/} - " ||
            fault "$file:2: no header line '# ${file##*/} - PURPOSE'"
    done
    { c_files; scripts; } | while IFS= read -r file; do
        head -n 60 "$file" | grep -qF "SPDX-License-Identifier: Apache-2.0" ||
            fault "$file:1: no SPDX-License-Identifier line"
    done
}

# In this format a function begins with a line "{" and ends with a line "}".
check_functions() {
    c_files | while IFS= read -r file; do
        awk -v file="$file" -v max="$lines_max" '
            /style: long/ { allowed = NR }
            $0 == "{" { start = NR; name = previous; excused = allowed > end }
            $0 == "}" && start {
                if (NR - start + 1 > max && !excused)
                    printf "%s:%d: a function of %d lines (want at most %d): %s\n",
                        file, start, NR - start + 1, max, name
                start = 0
                end = NR
            }
            NF && !start { previous = $0 }
            /^[ \t]*typedef (struct|union)/ {
                printf "%s:%d: a typedef of a struct or union\n", file, NR
            }' "$file"
    done >>"$faults"
}

# may_use FOLDER: the folders whose headers it may include.
may_use() {
    case $1 in
    allocators | workloads | results) echo "$1" ;;
    plots) echo plots results ;;
    harness) echo harness allocators workloads results plots ;;
    *) echo ;;
    esac
}

check_includes() {
    c_files | grep -E '^(allocators|workloads|results|plots|harness)/' |
        while IFS= read -r file; do
            allowed=$(may_use "${file%%/*}")
            sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file" |
                while IFS= read -r header; do
                    home=$(grep -E "(^|/)${header##*/}\$" "$list" | head -n 1)
                    # a leaf that all may use
                    [ "${home%/*}" != workloads/knobs ] || continue
                    case " $allowed " in
                    *" ${home%%/*} "*) ;;
                    *) fault "$file: includes $header of '${home%%/*}'" \
                        "(may use: $allowed)" ;;
                    esac
                done
        done
}

check_unique_names() {
    c_files | grep -v '^tests/' | sed 's|.*/||' | sort | uniq -d |
        while IFS= read -r name; do
            fault "$name: more than one file has this name:" \
                "$(grep -E "/$name\$" "$list" | tr '\n' ' ')"
        done
}

# The brackets keep the pattern from finding itself.
check_paths() {
    pattern='/(ho[m]e|ro[o]t|Use[r]s|wo[r]k)/[A-Za-z0-9._-]'
    tr '\n' '\0' <"$list" | xargs -0 grep -HnIE "$pattern" |
        sed 's/$/   <- a path of one machine/' >>"$faults"
}

check_tools() {
    if command -v clang-format >/dev/null; then
        c_files | tr '\n' '\0' |
            xargs -0 clang-format --dry-run -Werror 2>&1 |
            grep -E 'error:' >>"$faults"
    else
        echo "style: clang-format is not installed: layout was not checked"
    fi
    if command -v shellcheck >/dev/null; then
        scripts | grep -vE '\.(gp|awk|yml)$' | tr '\n' '\0' |
            xargs -0 shellcheck -s sh -S warning -e SC2034,SC2154,SC3045 \
                -f gcc >>"$faults" # variables of sourced files; ulimit
    else
        echo "style: shellcheck is not installed: scripts were not checked"
    fi
}

check_top_level
check_headers
check_functions
check_includes
check_unique_names
check_paths
check_tools

if [ -s "$faults" ]; then
    cat "$faults"
    echo "style: $(wc -l <"$faults") faults in $(wc -l <"$list") files"
    exit 1
fi
echo "style: $(wc -l <"$list") files, no faults"
