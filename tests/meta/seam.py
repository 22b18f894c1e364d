#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The seam: seam.py OBJECT...

Calls of the system that can fail are made by the objects of src/sys alone, so that tests may put another object in their
place. The objects are the library's own, named FOLDER/FILE.c.o.
"""
import pathlib
import re
import subprocess
import sys

CAN_FAIL = set(
    """
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmsg send sendmmsg
    sendmsg sendto setsockopt shutdown socket socketpair getaddrinfo getnameinfo
    copy_file_range pread preadv preadv2 pwrite pwritev pwritev2 read readv sendfile splice tee vmsplice write writev
    close dup dup2 dup3 fcntl fstat fstatat ioctl lseek lstat open openat pipe pipe2 posix_fadvise readahead rename stat
    statx unlink unlinkat
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd poll ppoll pselect select signalfd
    timerfd_create timerfd_settime
    madvise mincore mmap mprotect mremap munmap
    pthread_create sigaction signal syscall
    """.split()
)


def plain(name):
    """The call's own name, without what fortification, large files and symbol versions add to it."""
    return re.sub(r"^__(\w+?)(_chk|_2)$", r"\1", name.partition("@")[0]).removesuffix("64")


def imports(objects):
    """Which of the calls each object makes: {object: names}."""
    command = ["nm", "-u", "-A", "--format=posix", *objects]
    called = {path: set() for path in objects}
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        path, name = line.split()[:2]
        called[path.removesuffix(":")].add(plain(name))
    return {path: names & CAN_FAIL for path, names in called.items()}


def main():
    calls = {pathlib.Path(path): names for path, names in imports(sys.argv[1:]).items()}
    if not any(names for path, names in calls.items() if path.parent.name == "sys"):
        sys.exit("no object of src/sys makes a system call: are these the library's objects?")
    found = [
        f"{path.parent.name}/{path.name} calls {', '.join(sorted(names))}: only src/sys may"
        for path, names in calls.items()
        if names and path.parent.name != "sys"
    ]
    sys.exit("\n".join(found) or 0)


main()
