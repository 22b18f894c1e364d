#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tests of a build on an older kernel: Debian's user-mode-linux (6.1), which is a process, needs no rights, and has one
# processor. Boots one for each backend, all at the same time, and shows what ctest says. What is not run there is in
# `excluded`.
#
#   run.sh [-R REGEX] [-N NETEM] BUILD BACKEND...       (epoll, uring)
#
# NETEM is what tc-netem(8) does to the packets, its words with commas between them: delay,2ms,1ms,loss,1%
#
# Leaves BUILD/../uml/BACKEND: log, console, and the disk on which the tests ran.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
memory=1024 # MiB
limit=1800  # seconds, which only a machine that hangs needs
slow=4      # a system call costs many times what it costs outside

tests=.
netem=''
while getopts R:N: option; do
    case $option in
    R) tests=$OPTARG ;;
    N) netem=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
build=$(cd "$1" && pwd)
shift
excluded=$(awk '!/^#/ && NF { printf "%s%s", sep, $1; sep = "|" }' "$here/excluded")

boot() {
    place=$(dirname "$build")/uml/$1
    rm -rf "$place"
    mkdir -p "$place"
    truncate -s 4G "$place/disk"
    /sbin/mke2fs -q -t ext4 -d "$build" "$place/disk"
    # Its memory is a file, for which some containers' /dev/shm is too small.
    [ "$(df --output=avail -m /dev/shm | tail -n 1)" -gt $((4 * memory)) ] || export TMPDIR="$place"
    timeout -k 10 "$limit" linux.uml mem=${memory}M ubda="$place/disk" uml_dir="$place/" con0=fd:0,fd:1 con=null quiet \
        rootfstype=hostfs rootflags=/ ro init="$here/init" \
        BUILD="$build" PLACE="$place" TESTS="$tests" EXCLUDED="$excluded" SLOW="$slow" NETEM="$netem" FERRY_BACKEND="$1" \
        </dev/null >"$place/console" 2>&1
}

# What ctest says, without what passed.
show() {
    place=$(dirname "$build")/uml/$1
    if [ -f "$place/status" ]; then
        grep -Ev '^ +Start +[0-9]+:| Passed +[0-9.]+ sec$' "$place/log"
        return "$(cat "$place/status")"
    fi
    echo "run.sh: it did not come up, or not to an end:"
    tail -n 20 "$place/console"
    [ ! -f "$place/log" ] || tail -n 20 "$place/log"
    return 1
}

for backend in "$@"; do
    boot "$backend" &
done
wait

failed=0
for backend in "$@"; do
    echo "==== user-mode-linux, $backend"
    show "$backend" || failed=1
done
exit $failed
