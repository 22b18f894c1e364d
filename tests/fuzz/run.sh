#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fuzzes each target for so many seconds, from its corpus: run.sh BUILD SECONDS. What it finds new stays in BUILD/corpus, what
# crashes in BUILD/found; a crash becomes a file of tests/fuzz/corpus when it is mended. FERRY_BACKEND is passed on.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$1
seconds=$2
mkdir -p "$build/found"
failed=''
for program in "$build"/tests/fuzz/fuzz_*; do
    [ -f "$program" ] || continue
    name=${program##*/fuzz_}
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    echo "==== $name, $seconds s"
    "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=1024 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" "$corpus" "$here/corpus/$name" 2>&1 | tail -n 30 | tee "$build/found/$name.log"
    if ! grep -q 'stat::number_of_executed_units' "$build/found/$name.log" || grep -q 'SUMMARY\|not so:' "$build/found/$name.log"; then
        failed="$failed $name"
    fi
done
if [ -n "$failed" ]; then
    echo "run.sh: failed:$failed" >&2
    exit 1
fi
