#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The benchmarks, one after the other: run.sh BUILD. The server has core 0, the load core 1; nothing else should run.
set -eu
build=$1
reactor=$build/examples/reactor
coroutine=$build/examples/coroutine

echo "# $(uname -sr), $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg)"
echo
echo '## Coroutines'
"$build/bench/coroutines"
echo
echo '## Memory of an idle connection of the echo example'
"$build/bench/idle" 10000 "$reactor/echo" "$coroutine/echo"
echo
echo '## CPU time of the server a message, ping-pong over 64 connections, cubic on the client side'
"$build/bench/echo" 7 "$reactor/echo" "$coroutine/echo"
