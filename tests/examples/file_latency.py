# SPDX-License-Identifier: MIT
"""Small messages beside big files on one loop: lines come back, "file" brings the file, none holds up the other."""

import itertools
import os
import random
import re
import select
import socket
import tempfile
import threading
import unittest

import client_program
import clients
import server
from client_program import ClientProgram, Partner, Run
from example import Everywhere, Example
from server import Server

MIB = 1 << 20
LONGEST = 1024


def make_file(folder, data, size=None):
    """With that content, made larger by a hole if `size` says so."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(data)
        file.truncate(len(data) if size is None else size)
        return file.name


class FileLatency(Everywhere, Example):
    name = "file_latency"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = random.Random(cls.name).randbytes(3 * MIB)
        cls.arguments = [make_file(cls.folder, cls.data)]

    def serve_big(self, size=64 * MIB):
        return Server(self.name, make_file(self.folder, b"", size))

    def session(self, address):
        with clients.connect(address) as client:
            for line in (b"\n", b"hello\r\n", b"files\n", b"file\r\n", b"FILE\n"):
                client.sendall(line)
                self.assertEqual(clients.read_exactly(client, len(line)), line)
            client.sendall(b"file\n")
            self.assertTrue(clients.read_all(client) == self.data)

    def test_pipelined(self):
        """All in one lump: what comes after "file" has no answer, since the file ends with FIN."""
        with self.start() as program:
            answer = clients.ask(program.address, b"one\ntwo\nfile\nthree\nfile\n")
            self.assertTrue(answer == b"one\ntwo\n" + self.data)

    def test_half_close(self):
        """Every line comes back, but for one that has no end."""
        lines = b"".join(b"line %d\n" % i for i in range(50_000))
        with self.start() as program:
            self.assertTrue(clients.ask(program.address, lines + b"and no end") == lines)

    def test_byte_at_a_time(self):
        lines = b"first\n\nsecond\n" + b"x" * 200 + b"\n"
        with self.start() as program, clients.connect(program.address) as client:
            for byte in lines:
                client.sendall(bytes([byte]))
            self.assertEqual(clients.read_exactly(client, len(lines), step=1), lines)
            for byte in b"file\n":
                client.sendall(bytes([byte]))
            self.assertTrue(clients.read_all(client) == self.data)

    def test_longest_line(self):
        with self.start() as program:
            line = b"x" * (LONGEST - 1) + b"\n"
            self.assertEqual(clients.ask(program.address, line * 3), line * 3)
            for too_long in (b"x" + line, b"x" * LONGEST, b"x" * MIB):
                with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                    with clients.connect(program.address) as client:
                        client.sendall(too_long)
                        clients.read_all(client)
            self.session(program.address)

    def test_client_that_never_reads(self):
        """It is held back; and when it reads after all, every line is there."""
        lines, sent = b"x" * 999 + b"\n", 0
        with self.start() as program, clients.connect(program.address) as client:
            client.setblocking(False)
            while select.select([], [client], [], 1.0)[1]:
                sent += client.send(lines[sent % 1000 :] + lines * 1000)
                self.assertLess(sent, 64 * MIB, "the server goes on reading for a client that does not")
            client.settimeout(server.FAIL_SAFE_S)
            client.shutdown(socket.SHUT_WR)
            answer = clients.read_all(client)
            self.assertTrue(answer == (lines * (sent // 1000)))

    def test_messages_beside_a_stuck_download(self):
        with self.serve_big() as program, clients.connect(program.address, receive_buffer=32 << 10) as stuck:
            stuck.sendall(b"file\n")
            clients.read_exactly(stuck, 1)
            with clients.connect(program.address) as client:
                for _ in range(100):
                    client.sendall(b"message\n")
                    self.assertEqual(clients.read_exactly(client, 8), b"message\n")
            self.assertEqual(len(clients.read_all(stuck)), 64 * MIB - 1)

    def test_resets(self):
        with self.serve_big() as program:
            for request in (b"", b"half a line", b"file\n"):
                client = clients.connect(program.address)
                client.sendall(request)
                clients.reset(client)
            client = clients.connect(program.address)
            client.sendall(b"file\n")
            clients.read_exactly(client, 100_000)
            clients.reset(client)

    def test_truncated_in_the_middle(self):
        """A part is not taken for the whole."""
        path = make_file(self.folder, b"", 64 * MIB)
        with Server(self.name, path) as program, clients.connect(program.address) as client:
            client.sendall(b"file\n")
            clients.read_exactly(client, 1)
            os.truncate(path, 1)
            with self.assertRaises(ConnectionResetError):
                clients.read_all(client)


def echo(connection):
    """A partner that sends all back."""
    while part := connection.recv(1 << 16):
        connection.sendall(part)


def by_line(message, download):
    """A partner that has one answer to the first message of a connection, and another to a download."""

    def answer(connection):
        line = connection.recv(1 << 16)
        (download if line == b"file\n" else message)(connection, line)

    return answer


def echo_on(connection, line):
    connection.sendall(line)
    echo(connection)


class FileLatencyClient(ClientProgram, unittest.TestCase):
    name = "file_latency_client"
    flags = ["--downloads", "2", "--messages", "20"]
    flag_mistakes = (
        (["--downloads", "0"], "--downloads takes a number from 1 to 10000, not '0'"),
        (["--messages", "0"], "--messages takes a number from 1 to 1000000000, not '0'"),
    )
    times = r"p50 (\S+) us, p99 (\S+) us, p99\.9 (\S+) us, max (\S+) us\n"
    pattern = (
        r"messages alone: (\d+) in all, " + times + r"beside (\d+) downloads: (\d+) in all, " + times
        + r"the downloads got (\d+\.\d) MiB meanwhile, \d+\.\d MiB/s\n"
    )

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def measure(self, address, messages, downloads, *flags):
        status, out, errors = server.run(
            self.name, address, "--messages", str(messages), "--downloads", str(downloads), *flags
        )
        self.assertEqual((status, errors), (0, ""))
        found = re.fullmatch(self.pattern, out)
        self.assertIsNotNone(found, out)
        alone, *one, many, beside = found.groups()[:7]
        other = found.groups()[7:11]
        self.assertEqual([int(alone), int(many), int(beside)], [messages, downloads, messages])
        for times in (one, other):
            numbers = list(map(float, times))
            self.assertEqual(numbers, sorted(numbers))

    def test_server(self):
        with Server("file_latency", make_file(self.folder, b"", 1 << 30)) as program:
            self.measure(program.address, 200, 8)
            self.measure(program.address, 50, 2, "--threads", "3")

    def test_file_that_ends(self):
        with Server("file_latency", make_file(self.folder, b"a few bytes")) as program:
            self.measure(program.address, 500, 4)

    def test_downloads_are_begun_anew(self):
        """This partner keeps the messages of the second phase waiting until each download was asked for some times."""
        again = threading.Barrier(2)
        asked = itertools.count(1)

        def small_file(connection, _):
            if next(asked) == 20:
                again.wait(server.FAIL_SAFE_S)
            connection.sendall(b"a few bytes")
            client_program.close_at_once(connection)

        def message(connection, line):
            for _ in range(5):
                connection.sendall(line)
                line = connection.recv(1 << 16)
            again.wait(server.FAIL_SAFE_S)
            echo_on(connection, line)

        with Partner(by_line(message, small_file)) as partner:
            self.measure(partner.address, 5, 4)

    def test_unix_socket(self):
        path = make_file(self.folder, b"", 16 * MIB)
        with Server("file_latency", path, listen=f"unix:{self.folder}/socket") as program:
            self.measure(program.address, 20, 2)

    def test_answers_by_bytes(self):
        def trickle(connection, line):
            while line:
                for byte in line:
                    connection.sendall(bytes([byte]))
                line = connection.recv(1 << 16)

        with Partner(by_line(trickle, echo_on)) as partner:
            self.measure(partner.address, 5, 2)

    def test_empty_file(self):
        with Server("file_latency", make_file(self.folder, b"")) as program:
            self.check_fails("the server has sent an empty file", program.address, *self.flags)

    def test_something_else(self):
        def wrong(reply):
            def answer(connection, _):
                connection.sendall(reply)
                client_program.wait_end(connection)

            return answer

        for reply in (b"message 1\n", b"\n", b"x" * 100_000):
            with self.subTest(reply=reply[:10]):
                self.check_fails_with(by_line(wrong(reply), echo_on), "the server sends back something else")

    def test_server_that_closes(self):
        says = "the server closed the connection of the messages"
        self.check_fails_with(client_program.close_at_once, says)

        def one_message(connection, line):
            connection.sendall(line)
            connection.recv(1 << 16)
            client_program.close_at_once(connection)

        self.check_fails_with(by_line(one_message, echo_on), says)

    def test_server_that_resets(self):
        def reset(connection, _):
            clients.reset(connection)

        broken = "the connection of the messages broke: reset by the peer"
        self.check_fails_with(client_program.reset_at_once, broken)
        self.check_fails_with(by_line(echo_on, reset), "a download broke: reset by the peer")

    def test_server_that_says_nothing(self):
        says = "the connection of the messages broke: timed out"
        self.check_fails_with(client_program.wait_end, says, "--patience", "1")

    def test_downloads_that_never_begin(self):
        def nothing(connection, _):
            client_program.wait_end(connection)

        says = "(a download|the connection of the messages) broke: timed out"
        self.check_fails_with(by_line(echo_on, nothing), says, "--patience", "1")

    def test_no_room_on_stdout(self):
        with Partner(echo) as partner, open("/dev/full", "w") as full:
            status, _, line = server.run(self.name, partner.address, *self.flags, stdout=full)
            self.assertEqual(status, 1)
            self.assertRegex(line, rf"^\S*{self.name}: cannot write to stdout: [^\n]+\n$")

    def test_interrupted(self):
        with Server("file_latency", make_file(self.folder, b"", 1 << 30)) as program:
            with Run(self.name, program.address, "--messages", "1000000000") as client:
                program.wait_busy(connections=1)
                status, said, line = client.interrupt()
            self.assertEqual((status, said), (1, ""))
            self.assertRegex(line, rf"^\S*{self.name}: interrupted\n$")
