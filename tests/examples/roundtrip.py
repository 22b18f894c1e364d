# SPDX-License-Identifier: MIT
"""Frames of two times: one is filled in by the server; the client finds out how far away it is, and its clock."""

import hashlib
import os
import re
import socket
import struct
import time
import unittest

import client_program
import clients
import server
from client_program import ClientProgram, Partner, Run
from example import Everywhere, Example
from server import Server
from services import send_until_blocked

FRAME = struct.Struct("<qq")
HOUR_US = 3_600_000_000


def now_us():
    return time.time_ns() // 1000


class Roundtrip(Everywhere, Example):
    name = "roundtrip"

    def session(self, address):
        with clients.connect(address) as client:
            for ours in (0, 1, -1, 2**63 - 1, -(2**63), now_us()):
                earliest = now_us()
                client.sendall(FRAME.pack(ours, 4711))
                back, theirs = FRAME.unpack(clients.read_exactly(client, FRAME.size))
                self.assertEqual(back, ours)
                self.assertTrue(earliest <= theirs <= now_us())
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client), b"")

    def check_answers(self, answers, count):
        """All questions, in their order, with times that do not go back."""
        self.assertEqual(len(answers), count * FRAME.size)
        frames = list(FRAME.iter_unpack(answers))
        self.assertEqual([ours for ours, _ in frames], list(range(count)))
        times = [theirs for _, theirs in frames]
        self.assertEqual(times, sorted(times))

    def test_pipelined(self):
        """Far more than is read at once, so that frames are cut anywhere."""
        count = 100_000
        with self.start() as program:
            with clients.connect(program.address) as client:
                client.sendall(b"\0" * 7)
            questions = b"".join(FRAME.pack(i, 0) for i in range(count))
            self.check_answers(clients.ask(program.address, questions), count)

    def test_byte_at_a_time(self):
        with self.start() as program, clients.connect(program.address) as client:
            for byte in b"".join(FRAME.pack(i, 0) for i in range(20)):
                client.sendall(bytes([byte]))
            self.check_answers(clients.read_exactly(client, 20 * FRAME.size, step=1), 20)

    def test_half_a_frame(self):
        """What is no question has no answer."""
        with self.start() as program:
            self.assertEqual(clients.ask(program.address, b"\0" * 15), b"")
            answers = clients.ask(program.address, FRAME.pack(0, 0) + b"\0" * 15)
            self.check_answers(answers, 1)

    def test_client_that_never_reads(self):
        """It is held back; and when it reads after all, every answer is there."""
        limit = 64 << 20
        with self.start() as program, clients.connect(program.address) as client:
            size = send_until_blocked(client, hashlib.sha256(), limit)
            self.assertLess(size, limit, "the server goes on reading for a client that does not")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(len(clients.read_all(client)), size // FRAME.size * FRAME.size)

    def test_reset_with_bytes_pending(self):
        with self.start() as program:
            client = clients.connect(program.address)
            client.sendall(bytes(1 << 20))
            clients.reset(client)
            self.session(program.address)


def answers(change=lambda ours: (ours, now_us()), limit=None, write=socket.socket.sendall):
    """A partner that answers so many questions, with the two numbers that are made of the client's, then ends."""

    def answer(connection):
        asked = 0
        while asked != limit and (question := connection.recv(FRAME.size, socket.MSG_WAITALL)):
            write(connection, FRAME.pack(*change(FRAME.unpack(question)[0])))
            asked += 1
        connection.shutdown(socket.SHUT_WR)
        client_program.wait_end(connection)

    return answer


class RoundtripClient(ClientProgram, unittest.TestCase):
    name = "roundtrip_client"
    flags = ["--count", "5", "--interval", "0"]
    flag_mistakes = (
        (["--count", "-1"], "--count takes a number from 0 to 1000000000, not '-1'"),
        (["--interval", "3600001"], "--interval takes a number from 0 to 3600000, not '3600001'"),
    )
    trip = r"round trip (\d+) us, clock error (-?\d+) us\n"
    sums = (
        r"round trips: (\d+) in all, p50 \S+ us, p99 \S+ us, p99\.9 \S+ us, max (\S+) us\n"
        r"clock error of the fastest: (-?\d+) us, give or take (\d+) us\n"
    )

    def check_output(self, out, count):
        """So many lines, and sums that agree with them; returns pairs of round trip and error."""
        self.assertRegex(out, rf"^({self.trip}){{{count}}}{self.sums}$")
        trips = [(int(trip), int(error)) for trip, error in re.findall(self.trip, out)]
        total, longest, error, margin = re.search(self.sums, out).groups()
        self.assertEqual(int(total), count)
        self.assertAlmostEqual(float(longest), max(trip for trip, _ in trips), delta=1)
        fastest = min(trip for trip, _ in trips)
        self.assertIn((fastest, int(error)), trips)
        self.assertEqual(int(margin), fastest // 2 + 1)
        return trips

    def ask(self, address, count, *flags):
        status, out, errors = server.run(self.name, address, "--count", str(count), "--interval", "1", *flags)
        self.assertEqual((status, errors), (0, ""))
        return self.check_output(out, count)

    def test_server(self):
        """Both have one clock, so its error is within half the round trip."""
        with Server("roundtrip") as program:
            for trip, error in self.ask(program.address, 20):
                self.assertLessEqual(abs(error), trip // 2 + 1)

    def test_unix_socket(self):
        with Server("roundtrip", listen=f"unix:@ferry-test-roundtrip-{os.getpid()}") as program:
            self.ask(program.address, 3)

    def test_clock_that_is_wrong(self):
        for ahead in (HOUR_US, -HOUR_US):
            with Partner(answers(lambda ours, ahead=ahead: (ours, now_us() + ahead))) as partner:
                for trip, error in self.ask(partner.address, 5):
                    self.assertLessEqual(abs(error - ahead), trip // 2 + 1)

    def test_way_back_that_is_longer(self):
        """Then the error is as large as it can be, which is half the round trip."""

        def late(ours):
            theirs = now_us()
            time.sleep(0.02)
            return ours, theirs

        with Partner(answers(late)) as partner:
            for trip, error in self.ask(partner.address, 5):
                self.assertLessEqual(-error, trip // 2 + 1)

    def test_clocks_of_any_kind(self):
        """No number that a server may send does any harm."""
        for theirs in (0, 2**63 - 1, -(2**63)):
            with Partner(answers(lambda ours, theirs=theirs: (ours, theirs))) as partner:
                self.ask(partner.address, 2)

    def test_answers_by_bytes(self):
        def trickle(connection, data):
            for byte in data:
                connection.sendall(bytes([byte]))

        with Partner(answers(write=trickle)) as partner:
            self.ask(partner.address, 5)

    def test_what_was_not_asked(self):
        says = "the server answers what it was not asked"
        self.check_fails_with(answers(lambda ours: (ours + 1, 0)), says)
        twice = answers(write=lambda connection, data: connection.sendall(data * 2))
        self.check_fails_with(twice, says, said=f"{self.trip}{self.sums}")

    def test_server_that_closes(self):
        self.check_fails_with(client_program.close_at_once, "the server closed after 0 round trips")
        self.check_fails_with(
            answers(limit=3), "the server closed after 3 round trips", said=f"({self.trip}){{3}}{self.sums}"
        )

    def test_half_an_answer(self):
        def half(connection):
            connection.sendall(connection.recv(8))
            client_program.close_at_once(connection)

        self.check_fails_with(half, "the server closed after 0 round trips")

    def test_server_that_resets(self):
        self.check_fails_with(client_program.reset_at_once, "the connection broke: reset by the peer")

    def test_server_that_says_nothing(self):
        self.check_fails_with(client_program.wait_end, "the connection broke: timed out", "--patience", "1")

    def test_interrupted(self):
        """With a count it has not done all; without, a signal is its end. What it has, it says."""
        for count, expected, says in (("1000000", 1, rf"\S*{self.name}: interrupted\n"), ("0", 0, "")):
            with Server("roundtrip") as program:
                with Run(self.name, program.address, "--count", count, "--interval", "1") as client:
                    first = client.line() + client.line()
                    status, rest, line = client.interrupt()
                self.assertEqual(status, expected)
                self.assertRegex(line, f"^{says}$")
                self.check_output(first + rest, (first + rest).count("round trip "))

    def test_no_room_on_stdout(self):
        with Server("roundtrip") as program, open("/dev/full", "w") as full:
            status, _, line = server.run(self.name, program.address, *self.flags, stdout=full)
            self.assertEqual(status, 1)
            self.assertRegex(line, rf"^\S*{self.name}: cannot write to stdout\n")
