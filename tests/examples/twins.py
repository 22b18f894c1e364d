# SPDX-License-Identifier: MIT
"""The two styles of each example against each other: twins.py EXAMPLES

EXAMPLES has a directory for each style. Every script below is played to both programs of a name; what each answers is
compared to the last byte, and to how it ends.
"""

import contextlib
import os
import random
import socket
import sys
import tempfile
import unittest

import clients
import server
from server import Server
from services import coarse_time

STYLES = ("reactor", "coroutine")
SERVICES = ("echo", "discard", "daytime", "time", "idle", "pingpong")
DOWNLOADS = ("download_whole", "download_chunk", "download_shared", "download_zerocopy")
MIB = 1 << 20

examples = None  # the directory; set by main


def answer(client, step=1 << 16, by_bytes=0):
    """All that comes, the first of it byte by byte, and how it ends."""
    parts = []
    try:
        while part := client.recv(1 if len(parts) < by_bytes else step):
            parts.append(part)
        end = "FIN"
    except ConnectionResetError:
        end = "RST"
    return b"".join(parts), end


# Scripts: what a client does with its connection; they return what it saw.


def says_nothing(client, _):
    client.shutdown(socket.SHUT_WR)
    return answer(client)


def pipelines(client, data):
    """Everything is sent before anything is read, in two lumps of many messages each."""
    client.sendall(data[: len(data) // 2])
    client.sendall(data[len(data) // 2 :])
    client.shutdown(socket.SHUT_WR)
    return answer(client)


def talks_by_bytes(client, data):
    for byte in data[:1000]:
        client.sendall(bytes([byte]))
    client.shutdown(socket.SHUT_WR)
    return answer(client)


def reads_by_bytes(client, data):
    client.sendall(data[:5000])
    client.shutdown(socket.SHUT_WR)
    return answer(client, by_bytes=5000)


def reads_late(client, data):
    """A small window, and small bites."""
    client.sendall(data[: 256 << 10])
    client.shutdown(socket.SHUT_WR)
    return answer(client, step=1000)


SCRIPTS = (says_nothing, pipelines, talks_by_bytes, reads_by_bytes, reads_late)


class Twins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = random.Random("twins").randbytes(MIB)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name

    @contextlib.contextmanager
    def both(self, name, *arguments):
        """The programs of that name, one a style."""
        with contextlib.ExitStack() as stack:
            programs = []
            for style in STYLES:
                server.directory = os.path.join(examples, style)
                programs.append(stack.enter_context(Server(name, *arguments)))
            yield programs

    def file(self, size):
        path = os.path.join(self.folder, f"file-{size}")
        with open(path, "wb") as file:
            file.write((self.data * (size // MIB + 1))[:size])
        return path

    def play(self, script, program):
        buffer = 128 << 10 if script is reads_late else None
        with clients.connect(program.address, receive_buffer=buffer) as client:
            return script(client, self.data)

    def check(self, name, *arguments):
        with self.both(name, *arguments) as programs:
            for script in SCRIPTS:
                with self.subTest(name=name, script=script.__name__):
                    self.assert_same(lambda: [self.play(script, program) for program in programs])

    def assert_same(self, ask_both):
        """Those that tell the time may have been asked in two seconds, by the clock that they ask: then they are asked
        again."""
        second = None
        while second != coarse_time():
            second = coarse_time()
            one, other = ask_both()
            if one == other:
                break
        self.assertEqual(one[1], other[1], "the end")
        self.assertTrue(one[0] == other[0], f"{len(one[0])} and {len(other[0])} bytes differ")

    def test_services(self):
        for name in SERVICES:
            self.check(name)

    def test_downloads(self):
        for name in DOWNLOADS:
            for size in (0, 65_536, 3 * MIB + 1):
                self.check(name, self.file(size))

    def test_endless_stream(self):
        """What chargen sends until it sees the client's end is of any length, but of one content."""

        def play(program):
            with clients.connect(program.address) as client:
                start = clients.read_exactly(client, 8 * MIB, step=10_000)
                client.shutdown(socket.SHUT_WR)
                return start, answer(client)[1]

        with self.both("chargen") as (one, other):
            self.assertTrue(play(one) == play(other))

    def test_resets(self):
        """Clients that reset in the middle, with bytes pending both ways, hurt nobody who comes after them."""

        def play(program):
            for size in (0, 1, 100_000):
                client = clients.connect(program.address)
                client.sendall(self.data[:size])
                clients.reset(client)
            with clients.connect(program.address) as client:
                return pipelines(client, self.data[:1000])

        for name, arguments in (("echo", ()), ("discard", ()), ("download_chunk", (self.file(3 * MIB + 1),))):
            with self.both(name, *arguments) as (one, other):
                self.assertTrue(play(one) == play(other), name)


if __name__ == "__main__":
    examples = sys.argv.pop(1)
    unittest.main(verbosity=2)
