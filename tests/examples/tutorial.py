# SPDX-License-Identifier: MIT
"""Tests the programs of the tutorial in one style: tutorial.py DIRECTORY"""

import os
import random
import re
import socket
import sys
import tempfile
import unittest

import clients
import server
from server import Server

MIB = 1 << 20
PARTS = 4


class Echo(unittest.TestCase):
    def start(self, *arguments, **options):
        return Server("echo", *arguments, listen_flags=(), **options)

    def test_echo(self):
        data = random.Random("echo").randbytes(MIB)
        with self.start() as program:
            self.assertTrue(clients.ask(program.address, data) == data)
            self.assertEqual(clients.nc(program.address, "-N", request=b"hello\n"), b"hello\n")

    def test_bad_address(self):
        status, said, line = server.run("echo", "nonsense")
        self.assertEqual((status, said), (1, ""))
        self.assertRegex(line, r"^\S*echo: cannot listen on nonsense: [^\n]+\n$")


class Chat(unittest.TestCase):
    def start(self):
        return Server("chat", "--threads", "2")

    def enter(self, program, name, **options):
        client = clients.connect(program.address, **options)
        self.addCleanup(client.close)
        client.sendall(name + b"\n")
        self.assertEqual(clients.read_exactly(client, 8), b"welcome\n")
        return client

    def hears(self, client, text):
        self.assertEqual(clients.read_exactly(client, len(text)), text)

    def test_everybody_else_hears(self):
        with self.start() as program:
            ada, bob, cleo = (self.enter(program, name) for name in (b"Ada", b"Bob", b"Cleo"))
            ada.sendall(b"hello\n")
            self.hears(bob, b"Ada: hello\n")
            self.hears(cleo, b"Ada: hello\n")
            bob.sendall(b"one\ntwo\nthr")
            self.hears(ada, b"Bob: one\nBob: two\n")
            bob.sendall(b"ee\n")
            self.hears(ada, b"Bob: three\n")
            for client in (ada, bob, cleo):
                client.close()

    def test_byte_at_a_time(self):
        with self.start() as program:
            ada = self.enter(program, b"Ada")
            with clients.connect(program.address) as bob:
                for byte in b"Bob\nhow are you?\n":
                    bob.sendall(bytes([byte]))
                self.hears(ada, b"Bob: how are you?\n")
            ada.close()

    def test_who_has_left_hears_nothing(self):
        with self.start() as program:
            ada, bob, cleo = (self.enter(program, name) for name in (b"Ada", b"Bob", b"Cleo"))
            clients.reset(bob)
            ada.sendall(b"is Bob there?\n")
            self.hears(cleo, b"Ada: is Bob there?\n")
            cleo.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(cleo), b"")
            ada.close()

    def test_too_long(self):
        with self.start() as program:
            for words in (b"N" * 100 + b"\n", b"Ada\n" + b"x" * 600 + b"\n", b"Ada\n" + b"x" * 600):
                with clients.connect(program.address) as client:
                    client.sendall(words)
                    self.assertIn(clients.read_all(client), (b"", b"welcome\n"))

    def test_lines_stay_whole(self):
        """Two who speak at once, on a loop each, to a third: every line has its name."""
        count = 2000
        with self.start() as program:
            cleo = self.enter(program, b"Cleo")
            speakers = [clients.connect(program.address) for _ in range(2)]
            for name, speaker in zip((b"Ada", b"Bob"), speakers):
                speaker.sendall(name + b"\n")
                self.addCleanup(speaker.close)
            for number in range(count):
                for speaker in speakers:
                    speaker.sendall(b"%d\n" % number)
            with cleo.makefile("rb") as lines:
                heard = [next(lines) for _ in range(2 * count)]
            for name in (b"Ada", b"Bob"):
                expected = [b"%s: %d\n" % (name, number) for number in range(count)]
                self.assertEqual([line for line in heard if line.startswith(name)], expected)
            for client in (cleo, *speakers):
                client.close()

    def test_who_never_reads_has_to_go(self):
        """And the others go on meanwhile."""
        lump = (b"x" * 499 + b"\n") * 128
        with self.start() as program:
            ada, bob = self.enter(program, b"Ada"), self.enter(program, b"Bob")
            dora = self.enter(program, b"Dora", receive_buffer=16 << 10)
            expected = lump.replace(b"\n", b"\nAda: ")
            expected = b"Ada: " + expected[: -len(b"Ada: ")]
            for _ in range(200):
                ada.sendall(lump)
                self.hears(bob, expected)
            clients.wait_cut(dora)
            with self.assertRaises(ConnectionResetError):
                clients.read_all(dora)
            for client in (ada, bob, dora):
                client.close()

    def test_stops(self):
        with self.start() as program:
            ada = self.enter(program, b"Ada")
            program.terminate()
            self.assertEqual(clients.read_all(ada), b"")
            program.wait_end()
            ada.close()


class Download(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = random.Random("download").randbytes(3 * MIB)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = os.path.join(folder.name, "file")
        with open(cls.path, "wb") as file:
            file.write(cls.data)

    def start(self):
        return Server("download", self.path)

    def answers(self, *ranges):
        parts = (self.data[offset:][:length] for offset, length in ranges)
        return b"".join(b"%d\n%s" % (len(part), part) for part in parts)

    def check(self, *ranges):
        requests = b"".join(b"%d %d\n" % both for both in ranges)
        with self.start() as program:
            self.assertTrue(clients.ask(program.address, requests) == self.answers(*ranges))

    def test_whole(self):
        self.check((0, 3 * MIB))

    def test_parts_in_any_order(self):
        self.check((MIB, MIB), (2 * MIB, MIB), (0, MIB), (5, 0), (0, 1))

    def test_beyond_the_end(self):
        self.check((3 * MIB - 5, 100), (3 * MIB, 1), (1 << 40, 1 << 40), (0, 10))

    def test_one_after_the_other(self):
        with self.start() as program, clients.connect(program.address) as client:
            for offset in range(0, 3 * MIB, 300_000):
                client.sendall(b"%d 300000\n" % offset)
                expected = self.answers((offset, 300_000))
                self.assertTrue(clients.read_exactly(client, len(expected)) == expected)

    def test_in_parallel(self):
        with self.start() as program:
            size = len(self.data) // PARTS
            loaders = [clients.connect(program.address) for _ in range(PARTS)]
            for part, loader in enumerate(loaders):
                loader.sendall(b"%d %d\n" % (part * size, size))
            for part, loader in enumerate(loaders):
                expected = self.answers((part * size, size))
                self.assertTrue(clients.read_exactly(loader, len(expected)) == expected)
                loader.close()

    def test_many_at_once(self):
        self.check(*[(number, 1) for number in range(20_000)])

    def test_byte_at_a_time(self):
        with self.start() as program, clients.connect(program.address) as client:
            for byte in b"7 1000\n":
                client.sendall(bytes([byte]))
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client), self.answers((7, 1000)))

    def test_no_request(self):
        with self.start() as program:
            for words in (b"\n", b"GET / HTTP/1.1\r\n\r\n", b"0\n", b"x" * 100, b"0 1"):
                self.assertEqual(clients.ask(program.address, words), b"")

    def test_answers_come_before_the_end(self):
        with self.start() as program:
            self.assertTrue(clients.ask(program.address, b"0 1000000\nwhat?\n0 1\n") == self.answers((0, 1_000_000)))


if __name__ == "__main__":
    server.directory = sys.argv.pop(1)
    unittest.main(verbosity=2)
