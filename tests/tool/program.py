# SPDX-License-Identifier: MIT
"""The ferry program under test: run to its end, or started, watched and stopped.

FERRY_BUILD is the build directory. FERRY_STYLE is the style that servers drive their connections in; unset, they are not
told. FERRY_LAUNCHER is a command to run the program under, such as valgrind's.
FERRY_TEST_SLOW says how many times slower than usual that makes it; the files are that much smaller. Servers are not confined
then: who looks into a program (sanitizers, valgrind, gcov) opens files and starts processes in its name.
Timeouts here are fail-safes against a hang; no test passes or fails by the clock.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

FAIL_SAFE_S = 240 if "FERRY_TEST_SLOW" in os.environ else 60
SLOW = int(os.environ.get("FERRY_TEST_SLOW", "1"))
STYLE = os.environ.get("FERRY_STYLE")
KIB = 1024
MIB = 1024 * KIB
MODES = ("zerocopy", "chunk", "shared", "whole")
STYLES = ("reactor", "coroutine")


def command(*arguments):
    launcher = shlex.split(os.environ.get("FERRY_LAUNCHER", ""))
    if arguments[:1] == ("serve",) and "FERRY_TEST_SLOW" in os.environ:
        arguments = ("serve", "--confine", "off", *arguments[1:])
    return [*launcher, os.path.join(os.environ["FERRY_BUILD"], "ferry"), *map(str, arguments)]


def own_lines(text):
    """What the program itself said on stderr. What valgrind said is passed on for ctest to judge; what a sanitizer said
    is a failure at once, because its exit status may be one that the test expects."""
    if "Sanitizer" in text or "runtime error:" in text:
        raise AssertionError(text)
    lines = text.splitlines(keepends=True)
    valgrind = [line for line in lines if re.match(r"(==|--)\d+(==|--) ", line)]
    sys.stderr.writelines(valgrind)
    return "".join(line for line in lines if line not in valgrind)


class Result:
    def __init__(self, status, out, err):
        self.status = status
        self.out = out.decode()
        self.err = own_lines(err.decode())

    def __str__(self):
        return f"status {self.status}\nstdout: {self.out}\nstderr: {self.err}"

    @functools.cached_property
    def summary(self):
        """The lines of ferry get's summary, by their first word."""
        return dict(line.split(maxsplit=1) for line in self.out.splitlines())


def run(*arguments, prefix=(), **options):
    """Runs the program to its end."""
    done = subprocess.run([*prefix, *command(*arguments)], capture_output=True, timeout=FAIL_SAFE_S, **options)
    return Result(done.returncode, done.stdout, done.stderr)


def wait_until(condition, what):
    """For states of another process, which nobody tells us of."""
    end = time.monotonic() + FAIL_SAFE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)


class Process:
    """The program, started; what it prints goes to files. Leaving the context kills what is still running."""

    def __init__(self, *arguments, **options):
        self.arguments = arguments
        self.options = options
        self.result = None

    def __enter__(self):
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command(), stdout=self.out, stderr=self.err, **self.options)
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        if kind is not None:
            print(f"{self.arguments}: {self.out_so_far()}{self.err_so_far()}", file=sys.stderr)
        self.out.close()
        self.err.close()

    def command(self):
        return command(*self.arguments)

    def signal(self, number):
        self.process.send_signal(number)

    def _read(self, file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)

    def out_so_far(self):
        return self._read(self.out).decode()

    def err_so_far(self):
        return self._read(self.err).decode()

    def wait(self):
        """Waits until it ends by itself."""
        status = self.process.wait(timeout=FAIL_SAFE_S)
        return Result(status, self._read(self.out), self._read(self.err))


class Serve(Process):
    """ferry serve. Leaving the context stops it by SIGTERM, and expects status 0."""

    def __init__(self, *arguments, listen="127.0.0.1:0", **options):
        style = ("--style", STYLE) if STYLE else ()
        super().__init__("serve", "--listen", listen, *style, *arguments, **options)

    def __enter__(self):
        super().__enter__()
        with self.killed_on_error():
            wait_until(lambda: self.process.poll() is not None or "\n" in self.out_so_far(), "listening")
            found = re.fullmatch(r"listening on (\S+)\n", self.out_so_far())
            if not found:
                raise AssertionError(f"{self.arguments}: {self.wait()}")
            self.address = found[1]
            self.listeners = self.count_sockets()
        return self

    @contextlib.contextmanager
    def killed_on_error(self):
        try:
            yield
        except BaseException:
            super().__exit__(*sys.exc_info())
            raise

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and self.result is None:
                self.signal(signal.SIGTERM)
                if self.end().status != 0:
                    raise AssertionError(f"{self.arguments}: {self.result}")
        finally:
            super().__exit__(kind, value, trace)

    def end(self):
        """Waits until it has ended; the caller judges the result."""
        self.result = self.wait()
        return self.result

    def list_sockets(self):
        numbers = []
        for descriptor in os.scandir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                if os.readlink(descriptor.path).startswith("socket:"):
                    numbers.append(int(descriptor.name))
        return numbers

    def count_sockets(self):
        return len(self.list_sockets())

    def socket_options(self, level, option):
        """What the kernel has for each of its sockets, by pidfd_getfd(2)."""
        process = os.pidfd_open(self.process.pid)
        for number in self.list_sockets():
            with socket.socket(fileno=ctypes.CDLL(None).syscall(438, process, number, 0)) as copy:
                yield copy.getsockopt(level, option)
        os.close(process)

    def wait_connections(self, number):
        wait_until(lambda: self.count_sockets() >= self.listeners + number, f"{number} connections")

    def connect(self, receive_buffer=None):
        return connect(self.address, receive_buffer)

    def wait_deaf(self):
        """Waits until it listens no more: it has seen the signal to stop. It is not asked by connecting, since it might
        still accept that; 0A is the state of a listening socket."""
        listening = f"0100007F:{split(self.address)[1]:04X} 00000000:0000 0A "

        def deaf():
            with open("/proc/net/tcp") as sockets:
                return listening not in sockets.read()

        wait_until(deaf, "the listener closed")


def split(address):
    host, port = address.rsplit(":", 1)
    return host.strip("[]"), int(port)


def connect(address, receive_buffer=None):
    host, port = split(address)
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    client.settimeout(FAIL_SAFE_S)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        client.connect((host, port))
    except BaseException:
        client.close()
        raise
    return client


def read_all(client):
    digest = hashlib.sha256()
    size = 0
    while data := client.recv(256 * KIB):
        digest.update(data)
        size += len(data)
    return size, digest.hexdigest()


class Case(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ferry-test-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def make_file(self, size, name="file"):
        """A file of random bytes; returns its path and digest."""
        data = random.Random(size).randbytes(size)
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name), hashlib.sha256(data).hexdigest()

    def expect(self, result, status, error=""):
        """`error` is a part of the one line on stderr, or of one of them."""
        self.assertEqual(result.status, status, result)
        self.assertIn(error, result.err, result)
        if status != 0:
            self.assertTrue(result.err, "no line says why")
        return result
