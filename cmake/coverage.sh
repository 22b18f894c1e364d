#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a build that counts has counted, of src: a table, and the lines that nothing ran; as a page, BUILD/coverage/index.html.
# coverage.sh BUILD. A function that the compiler has made inline in several objects counts once.
set -eu

build=$1
cd "$(dirname "$0")/.."
mkdir -p "$build/coverage"
gcovr --root . --filter src/ --object-directory "$build" --exclude-unreachable-branches \
    --html-details "$build/coverage/index.html" --txt "$build/coverage/lines.txt" --print-summary "$build"
gcovr --root . --filter src/ --object-directory "$build" --exclude-unreachable-branches --branches "$build" >"$build/coverage/branches.txt"
cat "$build/coverage/lines.txt"
