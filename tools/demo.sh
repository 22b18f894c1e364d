#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Serves a random file in each mode and style of `ferry serve`, downloads it over 1 and 16 connections, verifies every
# byte of each, and prints a table: demo.sh BUILD, where BUILD holds the ferry program. Exits 0 when all was verified.
# Writes nothing outside a temporary directory (below TMPDIR), which it removes.
set -eu -o pipefail

readonly MIB=$((1024 * 1024))
readonly MODES='zerocopy chunk shared whole'
readonly STYLES='reactor coroutine'
readonly CONNECTIONS='1 16'
readonly MOST_MIB=1024 # sixteen downloads, half of them over 16 connections, are to take less than two minutes
readonly LONGEST_S=60 # a download that takes longer is given up

die() {
    echo "demo.sh: $*" >&2
    exit 1
}

[ $# -eq 1 ] || die 'usage: demo.sh BUILD'
ferry=$1/ferry
[ -x "$ferry" ] || die "$ferry is not there; \`make\` builds it"

directory=$(mktemp -d "${TMPDIR:-/tmp}/ferry-demo.XXXXXX")
server=''
clean_up() {
    if [ -n "$server" ]; then
        kill -KILL "$server" || true
        wait "$server" || true
    fi 2>/dev/null
    rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
readonly file=$directory/random

# Half of the free disk at most, and a third of the free memory, which mode whole and the page cache share.
choose_size() {
    local disk memory size
    disk=$(($(df --output=avail --block-size=$MIB "$directory" | tail -1) / 2))
    memory=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) / 1024 / 3))
    for ((size = MOST_MIB; size >= 32; size /= 2)); do
        if [ "$size" -le "$disk" ] && [ "$size" -le "$memory" ]; then
            [ "$size" -eq $MOST_MIB ] ||
                echo "Not $MOST_MIB MiB: there are $disk MiB of disk and $memory MiB of memory to spare." >&2
            echo "$size"
            return
        fi
    done
    die "not enough room in $directory ($disk MiB to spare) or in memory ($memory MiB)"
}

# CPU seconds that the server has used: fields 14 and 15 of its stat, counted behind the parenthesis of its name.
server_cpu() {
    sed 's/.*) //' "/proc/$server/stat" | awk -v ticks="$(getconf CLK_TCK)" '{ print ($12 + $13) / ticks }'
}

server_peak_mib() {
    awk '/^VmHWM:/ { printf "%.0f", $2 / 1024 }' "/proc/$server/status"
}

start_server() { # MODE STYLE; leaves its process in $server, its address in $address
    local line=''
    mkfifo "$directory/listening"
    "$ferry" serve --quiet --mode "$1" --style "$2" --listen 127.0.0.1:0 "$file" >"$directory/listening" &
    server=$!
    read -r -t "$LONGEST_S" line <"$directory/listening" || die "ferry serve --mode $1 --style $2 did not start"
    rm "$directory/listening"
    address=${line#listening on }
}

stop_server() {
    local process=$server
    kill -TERM "$process"
    server=''
    wait "$process" || die "ferry serve ended with status $?"
}

measure() { # MODE STYLE CONNECTIONS
    local before after verified=yes summary=$directory/summary
    start_server "$1" "$2"
    before=$(server_cpu)
    timeout "$LONGEST_S" "$ferry" get --connections "$3" "${check[@]}" "$address" >"$summary" 2>"$directory/errors" ||
        verified=no
    after=$(server_cpu)
    awk -v mode="$1" -v style="$2" -v n="$3" -v cpu="$after-$before" -v peak="$(server_peak_mib)" -v verified=$verified '
        $1 == "bytes" { gib = $2 / 1024 / 1024 / 1024 }
        $1 == "rate" { rate = $2 }
        END {
            split(cpu, at, "-")
            spent = gib > 0 ? sprintf("%.3f", (at[1] - at[2]) / gib) : "-"
            printf "%-9s %-10s %11d %9s %21s %16s  %s\n", mode, style, n, rate, spent, peak " MiB", verified
        }' "$summary"
    stop_server
    [ $verified = yes ] && return
    failed=1
    cat "$directory/errors" >&2
}

size=$(choose_size)
echo "Making a random file of $size MiB."
head -c "${size}M" /dev/urandom >"$file"
sync "$file"

failed=0
check=(--compare "$file")
echo 'Serving it in each mode and style, and comparing every byte of every connection with the file:'
echo
printf '%-9s %-10s %11s %9s %21s %16s  %s\n' \
    mode style connections GiB/s 'server CPU-s per GiB' "server's peak" verified
for mode in $MODES; do
    for connections in $CONNECTIONS; do
        for style in $STYLES; do
            measure "$mode" "$style" "$connections"
        done
    done
done

[ $failed -eq 0 ] || die 'not everything was verified'
cat <<END

Try next, with $1/ in PATH or after \`make install\`:
  ferry serve --listen :8888 FILE         then, on any machine: nc THIS-ONE 8888 > FILE
  ferry get -n 100 --slow 64K ADDRESS     a hundred slow readers; look at the server's memory
  ferry help serve; ferry help get        all that can be asked for
  make test                               the tests
END
