# SPDX-License-Identifier: MIT
"""What the big tests share: big files, and the figures they print. The program is driven by tests/tool/program.py."""

import hashlib
import os
import pathlib
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tool"))

import program  # noqa: E402

program.FAIL_SAFE_S = 580
MIB = 1024 * 1024
GIB = 1024 * MIB
# What a server may have resident whatever the file's size is; a file in memory comes on top.
BOUNDED_MEMORY = 32 * MIB


def peak_memory(serve):
    with open(f"/proc/{serve.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def cpu_seconds(serve):
    with open(f"/proc/{serve.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def gib_per_second(result):
    return float(result.summary["rate"].split()[0])


class BigCase(program.Case):
    def make_random(self, size):
        path = self.path("random")
        with open(path, "wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        return path

    def make_sparse(self, size, step):
        """A file of holes in which every `step` bytes stands their own offset; returns its path and digest."""
        path = self.path("sparse")
        digest = hashlib.sha256()
        holes = bytes(step - 8)
        with open(path, "wb") as file:
            for offset in range(0, size, step):
                stamp = struct.pack("<Q", offset + 1)
                os.pwrite(file.fileno(), stamp, offset)
                digest.update(stamp)
                digest.update(holes)
            file.truncate(size)
        return path, digest.hexdigest()

    def report(self, what, serve, result=None):
        figures = [f"server's peak {peak_memory(serve) / MIB:.1f} MiB", f"CPU {cpu_seconds(serve):.2f} s"]
        if result is not None:
            figures += [f"{gib_per_second(result):.2f} GiB/s", f"slowest {result.summary['slowest']}"]
        print(f"{time.strftime('%T')} {what}: {', '.join(figures)}", flush=True)

    def bounded(self, serve, extra=0):
        self.assertLess(peak_memory(serve), BOUNDED_MEMORY + extra)
