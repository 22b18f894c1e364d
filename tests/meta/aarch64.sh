#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The whole library and the context switch for aarch64: cross-compiled, and run by qemu's user emulation.
# aarch64.sh SOURCE_DIRECTORY
set -eu
source=$1
unset FERRY_BACKEND # the emulator has no io_uring
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

aarch64-linux-gnu-gcc -std=gnu11 -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread \
    -I "$source/include" -I "$source/src" "$source"/tests/meta/aarch64.c "$source"/src/*/*.c "$source"/src/co/switch_aarch64.S \
    -lm -o "$work/program"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/program"
