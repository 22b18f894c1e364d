# SPDX-License-Identifier: MIT
"""The small services of the early Internet: echo, discard, chargen, daytime and time."""

import hashlib
import os
import select
import socket
import struct
import time

import clients
from example import Everywhere, Example

MIB = 1 << 20


class Echo(Everywhere, Example):
    name = "echo"

    def session(self, address):
        with clients.connect(address) as client:
            for message in (b"x", b"hello\r\n", os.urandom(100_000)):
                client.sendall(message)
                self.assertEqual(clients.read_exactly(client, len(message)), message)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client), b"")

    def test_half_close(self):
        """A client that reads nothing before it has sent all gets all of it."""
        data = os.urandom(8 * MIB)
        with self.start() as server:
            self.assertTrue(clients.ask(server.address, data) == data)

    def test_byte_at_a_time(self):
        data = os.urandom(2000)
        with self.start() as server, clients.connect(server.address) as client:
            for byte in data:
                client.sendall(bytes([byte]))
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client, step=1), data)

    def test_standard_clients(self):
        text = b"one\ntwo\nthree\n"
        with self.start() as server:
            self.assertEqual(clients.nc(server.address, "-N", request=text), text)
            self.assertEqual(clients.socat(server.address, request=text), text)

    def test_client_that_never_reads(self):
        """It is held back before it can fill our memory; and when it reads after all, nothing is missing."""
        sent, limit = hashlib.sha256(), 64 * MIB
        with self.start() as server, clients.connect(server.address) as client:
            size = send_until_blocked(client, sent, limit)
            self.assertLess(size, limit, "the server goes on reading for a client that does not")
            if "FERRY_TEST_SLOW" not in os.environ:
                self.assertLess(server.peak_memory(), 32 * MIB)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_digests([client]), [sent.hexdigest()])

    def test_reset_with_bytes_pending(self):
        with self.start() as server:
            client = clients.connect(server.address)
            client.sendall(bytes(4 * MIB))
            clients.reset(client)
            self.session(server.address)

    def test_reset_when_held_back(self):
        """The server waits for a client that does not read; what it waits with is gone with the connection."""
        with self.start() as server:
            client = clients.connect(server.address)
            send_until_blocked(client, hashlib.sha256(), 64 * MIB)
            clients.reset(client)
            server.wait_idle()
            self.session(server.address)

    def test_killed_client(self):
        with self.start() as server:
            clients.kill_client(server)
            server.wait_idle()
            self.session(server.address)


def send_until_blocked(client, digest, limit):
    """Sends until nothing is taken for a while, or so much was taken that it will not be blocked; returns the bytes."""
    size = 0
    client.setblocking(False)
    while size < limit and select.select([], [client], [], 1.0)[1]:
        data = os.urandom(MIB // 4)
        taken = client.send(data)
        digest.update(data[:taken])
        size += taken
    client.setblocking(True)
    return size


class Discard(Everywhere, Example):
    name = "discard"

    def session(self, address):
        self.assertEqual(clients.ask(address, b"anything\r\n"), b"")

    def test_much(self):
        with self.start() as server:
            self.assertEqual(clients.ask(server.address, bytes(64 * MIB)), b"")

    def test_byte_at_a_time(self):
        with self.start() as server, clients.connect(server.address) as client:
            for _ in range(2000):
                client.sendall(b"x")

    def test_standard_clients(self):
        with self.start() as server:
            self.assertEqual(clients.nc(server.address, "-N", request=b"text\n"), b"")
            self.assertEqual(clients.socat(server.address, request=b"text\n"), b"")

    def test_killed_client(self):
        with self.start() as server:
            clients.kill_client(server)
            server.wait_idle()
            self.session(server.address)


class Chargen(Everywhere, Example):
    name = "chargen"

    def session(self, address):
        self.check_pattern(address, 200_000)

    def check_pattern(self, address, size, step=1 << 16):
        glyphs = bytes(range(0x20, 0x7F)) * 2
        turn = b"".join(glyphs[line : line + 72] + b"\r\n" for line in range(95))
        expected = (turn * (size // len(turn) + 1))[:size]
        with clients.connect(address) as client:
            self.assertTrue(clients.read_exactly(client, size, step) == expected)

    def test_much(self):
        with self.start() as server:
            self.check_pattern(server.address, 32 * MIB)

    def test_byte_at_a_time(self):
        with self.start() as server:
            self.check_pattern(server.address, 20_000, step=1)

    def test_standard_client(self):
        """Reads three lines and closes, which the server takes for the end."""
        with self.start() as server:
            lines = clients.run_client("sh", "-c", "nc -d $0 $1 | head -n 3", *server.address.split(":"))
            self.assertEqual([len(line) for line in lines.splitlines()], [72, 72, 72])
            self.assertTrue(lines.startswith(b" !\"#$%&'()"))

    def test_half_close_ends_it(self):
        with self.start() as server:
            self.assertTrue(clients.ask(server.address).startswith(b" !"))

    def test_client_that_never_reads(self):
        with self.start() as server:
            with clients.connect(server.address):
                server.wait_busy(connections=1)
                self.session(server.address)

    def test_killed_client(self):
        with self.start() as server:
            clients.kill_client(server)
            server.wait_idle()
            self.session(server.address)


class Daytime(Everywhere, Example):
    name = "daytime"

    def session(self, address):
        self.check_line(clients.ask(address))
        with clients.connect(address) as client:
            self.check_line(clients.read_all(client, step=1))

    def check_line(self, line):
        self.assertRegex(line.decode(), r"^[A-Z][a-z]+day, [A-Z][a-z]+ \d\d, \d{4} \d\d:\d\d:\d\d-\S+\r\n$")

    def test_standard_clients(self):
        with self.start() as server:
            self.check_line(clients.nc(server.address))
            self.check_line(clients.socat(server.address, "-u"))
            self.check_line(clients.curl_telnet(server.address))


class Time(Everywhere, Example):
    name = "time"

    def session(self, address):
        earliest = coarse_time()
        answer = clients.ask(address)
        latest = coarse_time()
        self.assertEqual(len(answer), 4)
        seconds = struct.unpack(">I", answer)[0] - 2_208_988_800
        self.assertTrue(earliest <= seconds <= latest, f"{seconds} is not in {earliest}..{latest}")

    def test_standard_clients(self):
        with self.start() as server:
            self.assertEqual(len(clients.nc(server.address)), 4)
            # Not curl: to telnet a byte of 255 begins a command, and for minutes on end the time has one.
            self.assertEqual(len(clients.socat(server.address)), 4)


def coarse_time():
    """The clock of time(2), which is behind the precise one by up to a tick."""
    clock_realtime_coarse = 5
    return int(time.clock_gettime(clock_realtime_coarse))
