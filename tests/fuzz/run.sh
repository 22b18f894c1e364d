#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fuzzes each target for so many seconds over each backend, all of them at a time, from its corpus: run.sh BUILD SECONDS BACKEND...
# What it finds new stays in BUILD/corpus, what crashes in BUILD/found; a crash becomes a file of tests/fuzz/corpus when it is
# mended.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$1
seconds=$2
shift 2
mkdir -p "$build/found"

# Leaves a log.
fuzz() {
    name=${1##*/fuzz_}
    mkdir -p "$build/corpus/$name"
    FERRY_BACKEND=$2 "$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=1024 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" "$build/corpus/$name" "$here/corpus/$name" >"$build/found/$name.$2.log" 2>&1 || true
}

# False: it found something, or did not come to its end.
show() {
    echo "==== ${1##*/fuzz_}, $2, $seconds s"
    log=$build/found/${1##*/fuzz_}.$2.log
    tail -n 30 "$log"
    grep -q 'stat::number_of_executed_units' "$log" && ! grep -q 'SUMMARY\|not so:' "$log"
}

failed=''
for program in "$build"/tests/fuzz/fuzz_*; do
    [ -f "$program" ] || continue
    for backend in "$@"; do
        fuzz "$program" "$backend" &
    done
    wait
    for backend in "$@"; do
        show "$program" "$backend" || failed="$failed ${program##*/fuzz_}/$backend"
    done
done
if [ -n "$failed" ]; then
    echo "run.sh: failed:$failed" >&2
    exit 1
fi
