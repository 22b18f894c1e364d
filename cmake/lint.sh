#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Looks at all of the tree's C and scripts: lint.sh BUILD, where BUILD has a compile_commands.json made for clang.
# Runs every tool, then fails if one of them found something.
set -u

cd "$(dirname "$0")/.." || exit 1
build=$1
jobs=$(nproc)
found=''

echo 'lint: clang-format'
find include src tools examples tests bench -name '*.[ch]' -exec clang-format --dry-run -Werror {} + || found="$found clang-format"

echo 'lint: shellcheck'
find .ci cmake tools tests examples bench -type f -exec grep -lZE '^#!/(usr/)?bin/(env )?(ba)?sh' {} + |
    xargs -0 shellcheck || found="$found shellcheck"

echo 'lint: cppcheck'
mkdir -p "$build/cppcheck"
cppcheck --project="$build/compile_commands.json" --cppcheck-build-dir="$build/cppcheck" -j "$jobs" --quiet \
    --enable=warning,style,performance,portability --suppressions-list=cmake/cppcheck.txt --inline-suppr \
    --error-exitcode=1 || found="$found cppcheck"

# What gcc's analyzer says, a line "KIND FILE" each, must be what cmake/analyzer.txt answers: no more, and no less.
echo 'lint: gcc -fanalyzer'
rm -rf "$build/analyzer" && mkdir -p "$build/analyzer"
# shellcheck disable=SC2016
find src tools -name '*.c' -printf '%p\n' | sed "p; s,/,_,g; s,^,$build/analyzer/," |
    xargs -P "$jobs" -n 2 sh -c 'gcc -std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -O1 -fanalyzer -fdiagnostics-plain-output \
        -c -o /dev/null "$0" 2>"$1"' || found="$found gcc"
sed -n 's/^\(src\|tools\)\([^:]*\):.* warning: .*\[-Wanalyzer-\([a-z-]*\)\]$/\3 \1\2/p' "$build"/analyzer/* | sort -u >"$build/analyzer.found"
grep -v '^#' cmake/analyzer.txt | sort >"$build/analyzer.answered"
diff "$build/analyzer.answered" "$build/analyzer.found" || found="$found gcc-analyzer"

echo 'lint: clang-tidy'
run-clang-tidy -quiet -p "$build" -j "$jobs" '\.c$' >"$build/clang-tidy.log" 2>&1 || found="$found clang-tidy"
sed 's/\x1b\[[0-9;]*m//g' "$build/clang-tidy.log" | grep -E -A4 '(warning|error):'

[ -z "$found" ] && exit 0
echo "lint: faults found by$found" >&2
exit 1
