#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the build into a directory of its own, then builds and runs a user's program against that in each way that is
# promised: install.sh BUILD USER_DIRECTORY VERSION CMAKE CC CXX
set -eu

build=$1
user=$2
version=$3
cmake=$4
cc=$5
cxx=$6

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

expect() {
    said=$("$@" | head -n 1)
    [ "$said" = "ferry $version" ] || {
        echo "install.sh: $* said '$said', not 'ferry $version'" >&2
        exit 1
    }
}

"$cmake" --install "$build" --prefix "$scratch/first"
# The tree is moved, since a package is built in another place than it is used.
mv "$scratch/first" "$scratch/installed"
installed=$scratch/installed

pc=$(find "$installed" -name ferry.pc)
lib=$(dirname "$(dirname "$pc")")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion ferry)" = "$version" ]

# Flags are words.
# shellcheck disable=SC2046
{
    "$cc" "$user/main.c" $(pkg-config --cflags --libs ferry) -o "$scratch/shared"
    "$cc" "$user/main.c" $(pkg-config --cflags ferry) "$lib/libferry.a" $(pkg-config --static --libs-only-other ferry) \
        -o "$scratch/static"
    "$cxx" -x c++ "$user/main.c" $(pkg-config --cflags --libs ferry) -o "$scratch/cxx"
}
expect env LD_LIBRARY_PATH="$lib" "$scratch/shared"
expect "$scratch/static"
expect env LD_LIBRARY_PATH="$lib" "$scratch/cxx"
soname=libferry.so.${version%.*}
readelf --dynamic "$scratch/shared" | grep 'NEEDED' | grep -qF "[$soname]" || {
    echo "install.sh: a program linked with -lferry does not ask for $soname" >&2
    exit 1
}

"$cmake" -G Ninja -S "$user" -B "$scratch/user" -D CMAKE_C_COMPILER="$cc" -D CMAKE_PREFIX_PATH="$installed" \
    -D WANTED_VERSION="$version"
"$cmake" --build "$scratch/user"
expect "$scratch/user/shared"
expect "$scratch/user/static"

if [ -x "$build/ferry" ]; then
    expect "$installed/bin/ferry" --version
fi
