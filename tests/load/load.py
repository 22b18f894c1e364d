# SPDX-License-Identifier: MIT
"""What the load tests share: load_server, and the programs of its clients. The server is watched from /proc, and by its
report.

PROGRAMS is the folder of them all, the first argument of each test.
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

import clients  # noqa: E402
import server  # noqa: E402
from server import wait_until  # noqa: E402, F401

KIB, MIB = 1 << 10, 1 << 20
SLOW = int(os.environ.get("FERRY_TEST_SLOW", "1"))
STYLES = ("reactor", "coroutine")
SERVICES = ("echo", "file", "line")

server.FAIL_SAFE_S = 120 * SLOW
server.directory = programs = sys.argv[1]


def numbers(line):
    """Of a line of names and numbers."""
    words = line.split()
    return dict(zip(words[::2], map(int, words[1::2])))


class LoadServer(server.Server):
    """load_server; at["reactor"]["echo"] is where that listens."""

    def __init__(self, file, *arguments, says="", prefix=()):
        super().__init__("load_server", "--threads", "2", *arguments, file, says=says)
        self.command = [*prefix, *self.command]

    def __enter__(self):
        super().__enter__()
        self.at = {style: {service: self._next_address() for service in SERVICES} for style in STYLES}
        self.descriptors = self.count_descriptors()
        return self

    def _next_address(self):
        return self.process.stdout.readline().decode().split()[-1]

    def everywhere(self, *services):
        return [self.at[style][service] for style in STYLES for service in services]

    def report(self):
        return numbers(clients.ask(self.address).decode())

    def settled_report(self, held=0):
        """When nobody is there any more, but for those that are held: who was opened has ended, in one way."""
        self.wait_idle()
        report = self.report()
        ended = sum(count for name, count in report.items() if name not in ("opened", "heap"))
        if ended + held != report["opened"]:
            raise AssertionError(f"a connection was lost sight of: {report}")
        self.wait_idle()
        return report

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * KIB for line in status if line.startswith("VmRSS:"))

    def running(self):
        """How many of its threads run, or would if there was a processor for them."""
        states = []
        for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            states.append(path.read_text().rpartition(")")[2].split()[0])
        return states.count("R")


class Clients:
    """A program of clients; a context at whose end its stdin ends, and it with status 0."""

    def __init__(self, name, *arguments):
        self.command = [os.path.join(programs, name), *map(str, arguments)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.process.kill()
        self.process.stdin.close()
        status = self.process.wait(server.FAIL_SAFE_S)
        self.process.stdout.close()
        if kind is None and status != 0:
            raise AssertionError(f"{self.command[0]} ended with {status}")

    def go_on(self, ms):
        print(int(ms), file=self.process.stdin, flush=True)

    def figures(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.command[0]} ended with {self.process.wait(server.FAIL_SAFE_S)}")
        return numbers(line)


def pattern_file(path, size, seed=1):
    """The bytes that tests/harness/pattern.c makes of a seed."""
    mask = (1 << 64) - 1

    def mix(x):
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    start = mix(seed)
    words = ((mix((start + i) & mask)).to_bytes(8, "little") for i in range(-(-size // 8)))
    path.write_bytes(b"".join(words)[:size])
