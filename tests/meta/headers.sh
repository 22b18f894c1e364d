#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The public headers: each is short and compiles alone, as C11 without GNU extensions and as C++11, without a warning.
# headers.sh INCLUDE_DIRECTORY CC CXX
set -u

include=$1
cc=$2
cxx=$3
status=0

complain() {
    echo "headers.sh: $1" >&2
    status=1
}

for header in "$include"/ferry/*.h; do
    name=ferry/$(basename "$header")
    lines=$(wc -l <"$header")
    [ "$lines" -lt 200 ] || complain "$name has $lines lines; 200 are too many"
    echo "#include <$name>" | "$cc" -std=c11 -D_DEFAULT_SOURCE -pedantic -Wall -Wextra -Werror -I "$include" \
        -x c -fsyntax-only - || complain "$name does not compile alone as C11"
    echo "#include <$name>" | "$cxx" -std=c++11 -pedantic -Wall -Wextra -Werror -I "$include" \
        -x c++ -fsyntax-only - || complain "$name does not compile alone as C++11"
done
exit "$status"
