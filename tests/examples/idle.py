# SPDX-License-Identifier: MIT
"""Connections that say nothing: kept, counted, and closed when they have been silent for too long."""

import contextlib
import os
import re
import resource
import select
import socket
import unittest

import client_program
import clients
import server
from client_program import ClientProgram, Partner, Run
from example import Everywhere, Example
from server import Server, wait_until

CONNECTIONS = 2000 // int(os.environ.get("FERRY_TEST_SLOW", "1"))


class Idle(Everywhere, Example):
    name = "idle"

    def session(self, address):
        self.assertEqual(clients.ask(address), b"")
        self.assertEqual(clients.ask(address, b"something"), b"")

    def test_help(self):
        self.assertIn("--seconds S", server.run(self.name, "--help")[1])

    def test_mistakes(self):
        status, _, line = server.run(self.name, "--seconds", "soon")
        self.assertEqual(status, 2)
        self.assertRegex(line, r"^\S*idle: --seconds takes a number from 0 to 86400, not 'soon'\n$")

    def test_silent_for_too_long(self):
        """Who says something now and then stays. On a machine that stands still for a while nobody says anything: then
        there is another try, with more time."""
        self.assertTrue(any(self.talker_stays(seconds) for seconds in (2, 6, 18)), "the talker is closed, too")

    def talker_stays(self, seconds):
        """Whether the silent one is closed, which it must be, and the other is not."""
        with self.start("--seconds", str(seconds)) as program:
            with clients.connect(program.address) as silent, clients.connect(program.address) as talker:

                def talk():
                    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                        talker.sendall(b"x")
                    return select.select([silent], [], [], 0.05)[0]

                wait_until(talk, "the silent one is closed")
                with self.assertRaises(ConnectionResetError):
                    silent.recv(1)
                poll = select.poll()
                poll.register(talker, select.POLLIN)
                return not poll.poll(0)

    def test_no_limit(self):
        """Then it is the server's end that ends a connection, in order."""
        with self.start("--seconds", "0") as program, clients.connect(program.address) as client:
            program.wait_busy(connections=1)
            program.terminate()
            self.assertEqual(clients.read_all(client), b"")
            client.close()
            program.wait_end()

    def test_much_is_thrown_away(self):
        with self.start() as program:
            self.assertEqual(clients.ask(program.address, bytes(16 << 20)), b"")

    def test_counts_at_the_end(self):
        with self.start() as program:
            first = [clients.connect(program.address) for _ in range(3)]
            program.wait_busy(connections=3)
            first.pop().close()
            wait_until(lambda: program.count_descriptors() == program.descriptors + 2, "one is closed")
            clients.connect(program.address).close()
            for client in first:
                client.close()
            self.assertRegex(
                client_program.end(program), r"^4 connections, 3 at most at a time(: \d+ bytes of memory each)?\n$"
            )


@contextlib.contextmanager
def soft_limit(descriptors):
    """Programs that are started inside may have so many descriptors open, unless they ask for more."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


class IdleClient(ClientProgram, unittest.TestCase):
    name = "idle_client"
    flags = ["--connections", "10"]
    flag_mistakes = ((["--connections", "0"], "--connections takes a number from 1 to 10000000, not '0'"),)
    opened = r"(\d+) connections opened after \d+\.\d s\n"
    closed = r"(\d+) closed by the server, (\d+) by us, after \d+\.\d s\n"

    def check_output(self, out, connections, by_server):
        counts = re.fullmatch(self.opened + self.closed, out).groups()
        self.assertEqual(list(map(int, counts)), [connections, by_server, connections - by_server])

    def hold(self, address, connections, *flags):
        status, out, errors = server.run(self.name, address, "--connections", str(connections), *flags)
        self.assertEqual((status, errors), (0, ""))
        self.check_output(out, connections, by_server=connections)

    def test_crowd(self):
        """Client and server raise the limit of descriptors; all are open at one time."""
        flags = ("--connections", str(CONNECTIONS), "--threads", "2")
        # One loop opens what it accepts on the spot; with two, descriptors can be there of which the other has not heard yet.
        with soft_limit(256), Server("idle", "--seconds", "0", "--threads", "1") as program:
            with Run(self.name, program.address, *flags) as client:
                first = client.line()
                program.wait_busy(connections=CONNECTIONS)
                status, rest, errors = client.interrupt()
            self.assertEqual((status, errors), (0, ""))
            self.check_output(first + rest, CONNECTIONS, by_server=0)
            line = client_program.end(program)
            total, most, bytes_each = re.fullmatch(
                r"(\d+) connections, (\d+) at most at a time(?:: (\d+) bytes of memory each)?\n", line
            ).groups()
            self.assertEqual((int(total), int(most)), (CONNECTIONS, CONNECTIONS))
            if "FERRY_TEST_SLOW" not in os.environ:
                self.assertLess(int(bytes_each), 16384)

    def test_server_that_resets(self):
        """Those that are silent for too long; some of them may be so before the last is open."""
        with Server("idle", "--seconds", "1", "--threads", "2") as program:
            self.hold(program.address, CONNECTIONS // 10, "--threads", "2")

    def test_server_that_closes(self):
        with Partner(client_program.close_at_once) as partner:
            self.hold(partner.address, 10)

    def test_server_that_talks(self):
        def talk(connection):
            connection.sendall(b"you should not read this" * 10_000)
            client_program.close_at_once(connection)

        with Partner(talk) as partner:
            self.hold(partner.address, 10)

    def test_held_until_a_signal(self):
        with Server("idle", "--seconds", "0") as program:
            with Run(self.name, program.address, "--connections", "50") as client:
                first = client.line()
                program.wait_busy(connections=50)
                status, rest, errors = client.interrupt()
            self.assertEqual((status, errors), (0, ""))
            self.check_output(first + rest, 50, by_server=0)

    def test_interrupted_before_all_are_open(self):
        """The queue of this listener is full before all are in it."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            with Run(self.name, "127.0.0.1:%d" % listener.getsockname()[1], *self.flags) as client:
                wait_until(lambda: client.count_sockets() >= 10, "all are connecting")
                status, said, line = client.interrupt()
        self.assertEqual((status, said), (1, ""))
        self.assertRegex(line, rf"^\S*{self.name}: interrupted when \d connections were open\n$")

    def test_too_few_descriptors(self):
        prefix = ["prlimit", "--nofile=128:128"]
        with Server("idle") as program:
            status, said, line = server.run(self.name, program.address, "--connections", "1000", prefix=prefix)
            self.assertEqual((status, said), (1, ""))
            says = r"1000 connections need 1100 descriptors, and only \d+ are allowed \(ulimit -Hn\)"
            self.assertRegex(line, rf"^\S*{self.name}: {says}\n$")
