# SPDX-License-Identifier: MIT
"""A kernel that refuses a system call, by a seccomp filter."""

import ctypes
import os
import struct

PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
LOAD_NUMBER, JUMP_UNLESS, RETURN = 0x20, 0x15, 0x06
FAIL, ALLOW = 0x00050000, 0x7FFF0000


class Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(call, number):
    """What the new process does before it becomes the program: from then on that system call fails with that number."""
    rows = (
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_UNLESS, 0, 1, call),
        (RETURN, 0, 0, FAIL | number),
        (RETURN, 0, 0, ALLOW),
    )
    code = b"".join(struct.pack("=HBBI", *row) for row in rows)
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        filter_program = Program(len(rows), code)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_program)
        ):
            os._exit(99)

    return install
