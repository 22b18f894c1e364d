#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages that a part of the work needs and that are missing: deps.sh [PART]...
# Without an argument: all of them. Nothing missing: says nothing and takes no time. Needs root, or sudo, otherwise.
set -eu

packages_for() {
    case $1 in
    build) echo build-essential cmake ninja-build pkg-config libssl-dev libseccomp-dev ;;
    test) echo libcmocka-dev openssl python3 curl socat netcat-openbsd iproute2 procps gdb \
        gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user ;;
    bench) echo iproute2 liburing-dev libboost-context-dev libuv1-dev libevent-dev libasio-dev golang-go nginx-light gnuplot-nox ;;
    lint) echo clang clang-format clang-tidy cppcheck shellcheck ;;
    check) echo clang libclang-rt-14-dev valgrind ;;
    uml) echo user-mode-linux kmod ;;
    network) echo nftables iproute2 procps ;;
    coverage) echo gcovr ;;
    model) echo spin ;;
    *) echo "deps.sh: no such part: $1 (build, test, lint, check, bench, uml, network, coverage, model)" >&2 && return 1 ;;
    esac
}

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

[ $# -gt 0 ] || set -- build test lint check
wanted=''
for part in "$@"; do
    wanted="$wanted $(packages_for "$part")"
done

if ! command -v apt-get >/dev/null; then
    echo "deps.sh: not a Debian system; these must be there under their own names:$wanted" >&2
    exit 0
fi

missing=''
for package in $wanted; do
    installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=''
elif command -v sudo >/dev/null; then
    as_root='sudo'
else
    echo "deps.sh: as root, install what is missing: apt-get install$missing" >&2
    exit 1
fi

echo "deps.sh: installing$missing"
# Words are split on purpose.
# shellcheck disable=SC2086
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --yes --no-install-recommends $missing
} </dev/null >/dev/null
