# SPDX-License-Identifier: MIT
"""An example program under test: started, watched from /proc, and stopped.

Timeouts here are fail-safes against a hang, generous enough for valgrind; no test passes or fails by the clock.
"""

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time

FAIL_SAFE_S = 120 if "FERRY_TEST_SLOW" in os.environ else 30

directory = None  # of the programs; set by run.py


def command(name, *arguments):
    return [*shlex.split(os.environ.get("FERRY_LAUNCHER", "")), os.path.join(directory, name), *arguments]


def own_lines(text):
    """What the program itself said on stderr; the lines of valgrind are passed on, for ctest to judge."""
    lines = text.splitlines(keepends=True)
    valgrind = [line for line in lines if re.match(r"(==|--)\d+\1", line)]
    sys.stderr.writelines(valgrind)
    return "".join(line for line in lines if line not in valgrind)


def run(name, *arguments, prefix=(), **options):
    """Runs a program that is expected to end by itself; returns its status, stdout and stderr."""
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run(
        [*prefix, *command(name, *arguments)], stderr=subprocess.PIPE, text=True, timeout=FAIL_SAFE_S, **options
    )
    return done.returncode, done.stdout, own_lines(done.stderr)


def wait_until(condition, what):
    """For states of another process, which nobody tells us of."""
    end = time.monotonic() + FAIL_SAFE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)


class Server:
    """A context: inside it the program listens; when it is left, the program has ended well, with nothing left open, and
    has said on stderr what the pattern `says` stands for: nothing, if no other is given."""

    def __init__(self, name, *arguments, listen="127.0.0.1:0", listen_flags=("--listen",), says=""):
        self.command = command(name, *listen_flags, listen, *arguments)
        self.says = says

    def __enter__(self):
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.stderr)
        line = self._first_line()
        if not line.startswith("listening on ") or not line.endswith("\n"):
            raise AssertionError(f"{self.command} said {line!r}, and on stderr {self._end()!r}")
        self.address = line.removeprefix("listening on ").rstrip("\n")
        self.descriptors = self.count_descriptors()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            state = "runs" if self.process.poll() is None else f"ended with {self.process.returncode}"
            print(f"{self.command} {state}, and said on stderr {self._end()!r}", file=sys.stderr)
            return
        if self.process.poll() is None:
            self.wait_idle()
            self.terminate()
            self.wait_end()
        errors = self._end()
        if self.process.returncode != 0 or not re.fullmatch(self.says, errors):
            raise AssertionError(f"{self.command} ended with {self.process.returncode}, and on stderr {errors!r}")

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], FAIL_SAFE_S)
        return self.process.stdout.readline().decode() if ready else ""

    def _end(self):
        """Ends it if nothing else has; returns what it said on stderr."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.stderr.seek(0)
        with self.stderr:
            return own_lines(self.stderr.read())

    def count_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_idle(self):
        """Waits until every connection, and every file opened for one, is closed."""
        wait_until(lambda: self.count_descriptors() == self.descriptors, "all descriptors of connections closed")

    def wait_busy(self, connections):
        wait_until(lambda: self.count_descriptors() >= self.descriptors + connections, f"{connections} connections")

    def peak_memory(self):
        """The most memory it has ever had resident, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))

    def stop(self):
        """Returns when it does stand still; SIGCONT lets it go on."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(self._stands_still, "stopped")

    def _stands_still(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_end(self):
        self.process.wait(timeout=FAIL_SAFE_S)
