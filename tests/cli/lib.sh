# lib.sh - what the tests of the program share: sourced, never run.
#
# Sets: HEAPYARD (the program), HEAPYARD_SOURCE (the tree), HEAPYARD_FAULTY
# (libraries of tests/faulty), and work, a folder that is removed at the end.
# Every process that a test starts has HEAPYARD_MARK=$work in its environment,
# by which expect_nothing_left finds those that should be gone.
#
# SPDX-License-Identifier: Apache-2.0
set -eu

HEAPYARD_SOURCE=${HEAPYARD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
HEAPYARD=${HEAPYARD:-$HEAPYARD_SOURCE/build/release/heapyard}
HEAPYARD_FAULTY=${HEAPYARD_FAULTY:-$(dirname "$HEAPYARD")/tests/faulty}
# shellcheck disable=SC2034 # for those who source this
tab=$(printf '\t')

fail()
{
    echo "FAIL: $*" >&2
    exit 1
}

skip()
{
    echo "skipped: $*"
    exit 77
}

[ -x "$HEAPYARD" ] || skip "no program at $HEAPYARD (set HEAPYARD)"
work=$(mktemp -d "${TMPDIR:-/tmp}/heapyard-test.XXXXXX")
HEAPYARD_MARK=$work
export HEAPYARD_MARK
# The doctor of bench finds nothing to warn of, however busy this machine is.
HEAPYARD_ROOT=$work/no-machine
export HEAPYARD_ROOT
unset LD_PRELOAD || :
# shellcheck disable=SC3045 # dash, bash and busybox have it
ulimit -c 0 # crashes are wanted here, their cores are not

clean_up()
{
    for pid in $(left_running); do
        kill -9 "$pid" 2>/dev/null || :
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Process ids of what was started by this test and is alive.  What looks for
# them must not carry the mark itself.
left_running()
{
    # shellcheck disable=SC2016 # for the inner shell
    env -u HEAPYARD_MARK sh -c 'grep -lsaF "HEAPYARD_MARK=$1" \
        /proc/[0-9]*/environ | tr -dc "0-9\n"' sh "$work" || :
}

# Within two seconds all processes of this test are gone.
expect_nothing_left()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=$(left_running)
        [ -n "$left" ] || return 0
        sleep 0.2
    done
    fail "$1: left running: $(for pid in $left; do
        tr '\0' ' ' <"/proc/$pid/cmdline"; done)"
}

# Whether the program is built with a sanitizer.
is_sanitized() { grep -qaE '__(asan|tsan)_init' "$HEAPYARD"; }

# A program built with a sanitizer brings its own malloc: no preloading.
need_plain_program()
{
    if is_sanitized; then
        skip "a library cannot be preloaded into a sanitized program"
    fi
}

need_faulty()
{
    need_plain_program
    [ -r "$HEAPYARD_FAULTY/libfaulty-count.so" ] ||
        skip "no libraries in $HEAPYARD_FAULTY (set HEAPYARD_FAULTY)"
}

# need COMMAND: skip the test unless the machine has it.
need()
{
    command -v "$1" >/dev/null || skip "no $1 on this machine"
}

# expect CODE COMMAND...: run it; its output goes to $work/out and $work/err.
expect()
{
    want=$1
    shift
    code=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ "$code" -eq "$want" ] ||
        fail "exit code $code (want $want): $* : $(tail -n 3 "$work/err")"
}

# expect_line FILE PATTERN: one line of FILE matches (grep -E).
expect_line()
{
    grep -qE -- "$2" "$1" ||
        fail "no line like \"$2\" in: $(head -c 2000 "$1")"
}

# ---- CSV ----

# csv_tsv FILE: the records of an RFC 4180 file, one a line, fields separated
# by tabs (a tab or newline in a field becomes a space).  Fails if a record
# has not as many fields as the first, or the file does not end with a newline.
csv_tsv()
{
    [ -z "$(tail -c 1 "$1")" ] || fail "$1 does not end with a newline"
    awk '
    function put(field) {
        gsub(/[\t\n]/, " ", field)
        record = record (fields++ ? "\t" : "") field
    }
    function end_record() {
        if (NR == 1 || !want)
            want = fields
        if (fields != want) {
            print FILENAME ":" NR ": " fields " fields (want " want ")" \
                >"/dev/stderr"
            bad = 1
        }
        print record
        record = ""
        fields = 0
    }
    { sub(/\r$/, "") }
    !inside && !/"/ {
        n = split($0, part, ",")
        for (i = 1; i <= n; i++)
            put(part[i])
        end_record()
        next
    }
    {
        n = length($0)
        for (i = 1; i <= n; i++) {
            c = substr($0, i, 1)
            if (inside && c == "\"" && substr($0, i + 1, 1) == "\"") {
                field = field c
                i++
            } else if (c == "\"")
                inside = !inside
            else if (c == "," && !inside) {
                put(field)
                field = ""
            } else
                field = field c
        }
        if (inside) {
            field = field " "
            next
        }
        put(field)
        field = ""
        end_record()
    }
    END { exit (bad || inside) }' "$1" || fail "$1 is not whole"
}

# csv_pick FILE COLUMN NAME=VALUE...: COLUMN of the rows where all hold.
csv_pick()
{
    file=$1
    shift
    csv_tsv "$file" >"$work/tsv"
    awk -F '\t' '
    BEGIN {
        for (i = 2; i < ARGC - 1; i++) {
            at = index(ARGV[i], "=")
            name[++n] = substr(ARGV[i], 1, at - 1)
            value[n] = substr(ARGV[i], at + 1)
            ARGV[i] = ""
        }
        wanted = ARGV[1]
        ARGV[1] = ""
    }
    NR == 1 {
        for (i = 1; i <= NF; i++)
            column[$i] = i
        next
    }
    {
        for (i = 1; i <= n; i++) {
            if (!(name[i] in column)) {
                print "no column " name[i] >"/dev/stderr"
                exit 2
            }
            if ($column[name[i]] != value[i])
                next
        }
        print $column[wanted]
    }' "$@" "$work/tsv"
}

# csv_count FILE NAME=VALUE...: how many rows.
csv_count()
{
    file=$1
    shift
    csv_pick "$file" run "$@" >"$work/picked"
    wc -l <"$work/picked" | tr -d ' '
}

# csv_runs FILE NAME=VALUE...: how many different runs.
csv_runs()
{
    file=$1
    shift
    csv_pick "$file" run "$@" >"$work/picked"
    sort -u "$work/picked" | wc -l | tr -d ' '
}

# expect_every_run_once FOLDER: samples.csv has all runs of plan.tsv and no
# value of a run twice.
expect_every_run_once()
{
    runs=$(($(wc -l <"$1/plan.tsv") - 1))
    have=$(csv_runs "$1/samples.csv")
    [ "$have" -eq "$runs" ] || fail "$1: $have runs in samples (want $runs)"
    awk -F '\t' '
    NR == 1 {
        for (i = 1; i <= NF; i++)
            column[$i] = i
        next
    }
    {
        key = $column["run"] " " $column["metric"] " " $column["at"]
        if (seen[key]++) {
            print "twice: run, metric, at = " key >"/dev/stderr"
            bad = 1
        }
    }
    END { exit bad }' "$work/tsv" || fail "$1: a value stands twice"
}
