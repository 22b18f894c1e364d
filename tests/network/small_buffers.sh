#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tests of connections and coroutines where the kernel takes 8 KiB at a time, and no packet has more than 1500 bytes: short
# writes and EAGAIN everywhere, and short reads. In namespaces of their own, which go with the process; needs root.
#
#   small_buffers.sh BUILD
set -eu

if [ "$$" -ne 1 ]; then
    exec unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

ip link set lo up mtu 1500
# Some tests want 100 KB to be there, unread, before they go on.
sysctl --quiet --write net.ipv4.tcp_wmem='4096 8192 8192' net.ipv4.tcp_rmem='4096 131072 131072'

# No name server: a name that is not in /etc/hosts is unknown, rather than unknown as yet.
mount -t tmpfs tmpfs /run
echo 'hosts: files' >/run/nsswitch.conf
mount --bind /run/nsswitch.conf /etc/nsswitch.conf

exec ctest --test-dir "$1" -L '^quick$' -R '^(net|co)_' --no-tests=error --output-on-failure -j 2
