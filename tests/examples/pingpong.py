# SPDX-License-Identifier: MIT
"""The classic throughput test: what goes out comes back, to the last byte, and the sums say so."""

import os
import re
import socket
import unittest

import client_program
import clients
import server
from client_program import ClientProgram, Partner, Run
from example import Everywhere, Example
from server import Server

MIB = 1 << 20


class Pingpong(Everywhere, Example):
    name = "pingpong"

    def session(self, address):
        with clients.connect(address) as client:
            for message in (b"x", bytes(range(128)) * 128, os.urandom(100_000)):
                client.sendall(message)
                self.assertEqual(clients.read_exactly(client, len(message)), message)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client), b"")

    def test_half_close(self):
        data = os.urandom(8 * MIB)
        with self.start() as program:
            self.assertTrue(clients.ask(program.address, data) == data)

    def test_byte_at_a_time(self):
        data = os.urandom(1000)
        with self.start() as program, clients.connect(program.address) as client:
            for byte in data:
                client.sendall(bytes([byte]))
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client, step=1), data)

    def test_client_that_never_reads(self):
        """It is reset when too much is waiting for it; and the others do not notice."""
        with self.start() as program:
            with clients.connect(program.address) as client, self.assertRaises((ConnectionResetError, BrokenPipeError)):
                for _ in range(256):
                    client.sendall(bytes(MIB))
            if "FERRY_TEST_SLOW" not in os.environ:
                self.assertLess(program.peak_memory(), 48 * MIB)
            self.session(program.address)

    def test_reset_with_bytes_pending(self):
        with self.start() as program:
            client = clients.connect(program.address)
            client.sendall(bytes(4 * MIB))
            clients.reset(client)
            self.session(program.address)

    def test_counts_at_the_end(self):
        with self.start("--threads", "2") as program:
            for size in (1, 1000, 2 * MIB):
                clients.ask(program.address, bytes(size))
            total = 1 + 1000 + 2 * MIB
            self.assertEqual(client_program.end(program), f"{total} bytes received, {total} sent\n")


class PingpongClient(ClientProgram, unittest.TestCase):
    name = "pingpong_client"
    flags = ["--seconds", "1", "--sessions", "2", "--size", "1000"]
    flag_mistakes = (
        (["--sessions", "0"], "--sessions takes a number from 1 to 100000, not '0'"),
        (["--size", "16777217"], "--size takes a number from 1 to 16777216, not '16777217'"),
        (["--seconds", "never"], "--seconds takes a number from 1 to 86400, not 'never'"),
    )

    def check_sums(self, output, seconds):
        """The four lines, which have to agree; returns the bytes and the reads."""
        pattern = (
            r"(\d+) total bytes read\n(\d+) total messages read\n"
            r"(\d+\.\d\d) average message size\n(\d+\.\d\d) MiB/s throughput\n"
        )
        read, reads, average, throughput = map(float, re.fullmatch(pattern, output).groups())
        self.assertAlmostEqual(average, read / reads, delta=0.01)
        self.assertAlmostEqual(throughput, read / seconds / MIB, delta=0.01)
        return int(read), int(reads)

    def play(self, address, *flags):
        status, out, errors = server.run(self.name, address, "--seconds", "1", *flags)
        self.assertEqual((status, errors), (0, ""))
        return self.check_sums(out, seconds=1)

    def check_against_server(self, *flags, least=1, listen="127.0.0.1:0"):
        """What the client has read is what the server has sent, and that is what it has received."""
        with Server("pingpong", "--threads", "2", listen=listen) as program:
            read, reads = self.play(program.address, *flags)
            self.assertEqual(client_program.end(program), f"{read} bytes received, {read} sent\n")
            self.assertGreaterEqual(read, least)
            return read, reads

    def test_one_session(self):
        self.check_against_server("--size", "16384", least=16384)

    def test_many_sessions(self):
        self.check_against_server("--sessions", "50", "--size", "4000", "--threads", "2", least=50 * 4000)

    def test_one_byte(self):
        """Each read is of one byte, so there are as many."""
        read, reads = self.check_against_server("--size", "1")
        self.assertEqual(read, reads)

    def test_largest_block(self):
        """More than all the buffers on the way hold: both sides read while they send."""
        self.check_against_server("--size", str(16 * MIB), least=16 * MIB)

    def test_unix_socket(self):
        self.check_against_server("--size", "1000", listen=f"unix:@ferry-test-pingpong-{os.getpid()}")

    def test_another_server(self):
        with Server("echo") as program:
            self.play(program.address, "--size", "100000")

    def test_server_that_reads_slowly(self):
        def trickle(connection):
            while part := connection.recv(1000):
                connection.sendall(part)

        with Partner(trickle, receive_buffer=4096) as partner:
            self.play(partner.address, "--size", "50000")

    def test_server_that_is_read_from_first(self):
        """It takes nothing more until what it has sent is read; so the client must not wait for it with its block."""

        def hold_back(connection):
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                connection.setsockopt(socket.SOL_SOCKET, option, 64 << 10)
            while part := connection.recv(64 << 10):
                connection.sendall(part)

        with Partner(hold_back) as partner:
            self.play(partner.address, "--size", str(16 * MIB))

    def test_server_that_keeps_something(self):
        def keep(connection):
            connection.recv(1)
            client_program.wait_end(connection)
            connection.sendall(b"999 bytes it owes")

        self.check_fails_with(keep, "of 1000 bytes sent 17 came back")

    def test_server_that_closes(self):
        says = "the server ended a session before its time"
        self.check_fails_with(client_program.close_at_once, says, "--seconds", "60")

    def test_server_that_resets(self):
        self.check_fails_with(client_program.reset_at_once, "a session broke: reset by the peer")

    def test_server_that_says_nothing(self):
        """Then the patience of a client has an end, with its time over or not."""
        flags = ("--seconds", "60", "--patience", "1")
        self.check_fails_with(client_program.wait_end, "a session broke: timed out", *flags)

    def test_no_room_on_stdout(self):
        with Server("pingpong") as program, open("/dev/full", "w") as full:
            status, _, line = server.run(self.name, program.address, *self.flags, stdout=full)
            self.assertEqual(status, 1)
            self.assertRegex(line, rf"^\S*{self.name}: cannot write to stdout: [^\n]+\n$")

    def test_interrupted(self):
        with Server("pingpong") as program:
            with Run(self.name, program.address, "--seconds", "3600") as client:
                program.wait_busy(connections=1)
                status, said, line = client.interrupt()
            self.assertEqual((status, said), (1, ""))
            self.assertRegex(line, rf"^\S*{self.name}: interrupted\n$")
