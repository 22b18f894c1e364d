# SPDX-License-Identifier: MIT
"""ferry serve when files change, clients misbehave, and it is told to stop.

All of it runs once in each style (FERRY_STYLE).
"""

import os
import signal
import unittest
from socket import IPPROTO_TCP, TCP_USER_TIMEOUT

import program
import rude
from program import KIB, MIB, MODES, Case, Process, Serve, run, wait_until

# More than the kernel buffers of both ends of a connection: a client that does not read holds the transfer up.
SIZE = 24 * MIB


def leftovers(case):
    """The files of a `get -o kept` that runs, or was killed."""
    return [case.path(name) for name in os.listdir(case.directory) if name.startswith("kept.")]


class Truncated(Case):
    """A file that becomes shorter while it is sent: the client is told by a reset, never by a plain end."""

    def test_python_client(self):
        for mode in ("zerocopy", "chunk", "shared"):
            file, _ = self.make_file(SIZE)
            with self.subTest(mode), Serve("--mode", mode, file) as serve, serve.connect(64 * KIB) as client:
                self.assertEqual(len(client.recv(1)), 1)
                os.truncate(file, 1)
                with self.assertRaises(ConnectionResetError):
                    program.read_all(client)

    def test_get(self):
        for mode in ("zerocopy", "chunk", "shared"):
            file, _ = self.make_file(SIZE)
            with self.subTest(mode), Serve("--mode", mode, file) as serve:
                self.truncate_under_get(serve, file)

    def truncate_under_get(self, serve, file):
        kept = self.path("kept")
        with Process("get", "-n", 2, "--slow", "2M", "-o", kept, serve.address) as get:
            wait_until(lambda: self.kept_so_far() > 0, "the first bytes")
            os.truncate(file, 1)
            self.expect(get.wait(), 1, "reset by the peer after ")
        self.assertEqual(os.listdir(self.directory), ["file"])

    def kept_so_far(self):
        names = [name for name in os.listdir(self.directory) if name.startswith("kept.")]
        return sum(os.stat(self.path(name)).st_size for name in names)

    def test_whole_does_not_mind(self):
        file, digest = self.make_file(SIZE)
        with Serve("--mode", "whole", file) as serve, serve.connect(64 * KIB) as client:
            self.assertEqual(len(client.recv(1)), 1)
            os.truncate(file, 1)
            self.expect(run("get", "--sha256", digest, serve.address), 0)

    def test_grown(self):
        """A file that became longer is sent as long as it was."""
        for mode in MODES:
            file, _ = self.make_file(SIZE)
            with self.subTest(mode), Serve("--mode", mode, file) as serve, serve.connect(64 * KIB) as client:
                self.assertEqual(len(client.recv(1)), 1)
                with open(file, "ab") as grown:
                    grown.write(b"more")
                self.assertEqual(program.read_all(client)[0], SIZE - 1)


class Stopped(Case):
    """SIGTERM finishes what is in flight; a second one, or the end of the grace time, cuts it."""

    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(SIZE)

    def test_idle(self):
        path = self.path("socket")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number), Serve("--quiet", self.file, listen="unix:" + path) as serve:
                serve.signal(number)
                self.assertEqual(self.expect(serve.end(), 0).err, "")
                self.assertFalse(os.path.exists(path))

    def test_a_terminal_that_goes(self):
        """It is told twice, by the kernel and by the shell, which cuts nothing; under nohup it is nothing."""

        def nohup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        with Serve("--grace", program.FAIL_SAFE_S, self.file) as serve, serve.connect(64 * KIB) as client:
            client.recv(1, program.socket.MSG_PEEK)
            serve.signal(signal.SIGHUP)
            serve.wait_deaf()
            serve.signal(signal.SIGHUP)
            self.assertEqual(program.read_all(client), (SIZE, self.digest))
            client.close()
            self.expect(serve.end(), 0)
        with Serve(self.file, preexec_fn=nohup) as serve:
            serve.signal(signal.SIGHUP)
            self.expect(run("get", "--sha256", self.digest, serve.address), 0)

    def test_finishes_what_is_in_flight(self):
        for mode in MODES:
            flags = ("--mode", mode, "--grace", program.FAIL_SAFE_S)
            with self.subTest(mode), Serve(*flags, self.file) as serve, serve.connect(64 * KIB) as client:
                first = client.recv(1, program.socket.MSG_PEEK)
                serve.signal(signal.SIGTERM)
                serve.wait_deaf()
                self.assertEqual(len(first), 1)
                self.assertEqual(program.read_all(client), (SIZE, self.digest))
                client.close()
                self.expect(serve.end(), 0, f"sent {SIZE // MIB}.0 MiB")

    def test_finishes_what_a_rate_holds_up(self):
        """Between two pieces nothing is queued; it is in flight all the same."""
        size = 70 * KIB
        file, digest = self.make_file(size)
        for mode in MODES:
            flags = ("--mode", mode, "--rate", "100K", "--grace", program.FAIL_SAFE_S)
            with self.subTest(mode), Serve(*flags, file) as serve, serve.connect() as client:
                client.recv(1, program.socket.MSG_PEEK)
                serve.signal(signal.SIGTERM)
                self.assertEqual(program.read_all(client), (size, digest))
                client.close()
                self.expect(serve.end(), 0)

    def test_a_client_that_stays_does_not_hold_it_up(self):
        """It has everything, but does not close: that is not in flight any more."""
        with Serve("--grace", 50, self.file) as serve, serve.connect() as client:
            self.assertEqual(program.read_all(client), (SIZE, self.digest))
            serve.signal(signal.SIGTERM)
            self.expect(serve.end(), 0)

    def test_second_signal_cuts(self):
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, self.file) as serve, serve.connect(64 * KIB) as client:
                client.recv(1)
                serve.signal(signal.SIGTERM)
                serve.wait_deaf()
                serve.signal(signal.SIGTERM)
                self.expect(serve.end(), 1, "1 connection was cut before the end of the file")
                with self.assertRaises(ConnectionResetError):
                    program.read_all(client)

    def test_second_signal_cuts_what_a_rate_holds_up(self):
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, "--rate", "1K", self.file) as serve, serve.connect() as client:
                client.recv(1)
                serve.signal(signal.SIGTERM)
                serve.wait_deaf()
                serve.signal(signal.SIGTERM)
                self.expect(serve.end(), 1, "1 connection was cut before the end of the file")
                with self.assertRaises(ConnectionResetError):
                    program.read_all(client)

    def test_end_of_the_grace_time_cuts(self):
        with Serve("--grace", 0.2, self.file) as serve, serve.connect(64 * KIB) as a, serve.connect(64 * KIB) as b:
            a.recv(1)
            b.recv(1)
            serve.signal(signal.SIGTERM)
            self.expect(serve.end(), 1, "2 connections were cut before the end of the file")

    def test_no_grace(self):
        with Serve("--grace", 0, self.file) as serve, serve.connect(64 * KIB) as client:
            client.recv(1)
            serve.signal(signal.SIGTERM)
            self.expect(serve.end(), 1, "1 connection was cut")

    def test_get_sees_the_cut(self):
        slowly = ("--slow", "1M", "-o", self.path("kept"))
        with Serve("--grace", 0.2, self.file) as serve, Process("get", *slowly, serve.address) as get:
            wait_until(lambda: any(os.stat(name).st_size > 0 for name in leftovers(self)), "the first bytes")
            serve.signal(signal.SIGTERM)
            self.expect(serve.end(), 1)
            self.expect(get.wait(), 1, "reset by the peer after ")


class Clients(Case):
    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(SIZE)

    def test_killed_clients_do_no_harm(self):
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, self.file) as serve:
                self.kill_some(serve)
                self.expect(run("get", "-n", 4, "--sha256", self.digest, serve.address), 0)

    def kill_some(self, serve):
        kept = self.path("kept")
        with Process("get", "-n", 3, "--slow", "1M", "-o", kept, serve.address) as victim:
            wait_until(lambda: any(os.stat(name).st_size > 0 for name in leftovers(self)), "the first bytes")
            victim.signal(signal.SIGKILL)
        for name in leftovers(self):
            os.unlink(name)

    def test_rude_clients_do_no_harm(self):
        def close(client):
            client.close()

        def half_close(client):
            client.shutdown(program.socket.SHUT_WR)
            self.assertEqual(program.read_all(client), (SIZE, self.digest))

        def talk(client):
            client.sendall(b"x" * MIB)
            self.assertEqual(program.read_all(client), (SIZE, self.digest))

        for mode in MODES:
            with Serve("--mode", mode, self.file) as serve:
                for client in (close, rude.reset, half_close, talk):
                    with self.subTest(mode=mode, client=client.__name__), serve.connect() as peer:
                        client(peer)
                self.expect(run("get", "--sha256", self.digest, serve.address), 0)

    def test_a_client_that_says_much(self):
        """First as much as goes without reading; then it reads, and says the rest."""
        words = bytes(32 * MIB)
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, self.file) as serve, serve.connect(64 * KIB) as client:
                said = rude.say(client, words)
                self.assertEqual(program.read_all(client), (SIZE, self.digest))
                client.sendall(words[said:])
                client.close()
                wait_until(lambda: "sent 24.0 MiB" in serve.err_so_far(), "its end is told")

    def test_a_client_that_does_not_read_is_given_up(self):
        for mode in MODES:
            with self.subTest(mode), Serve("--timeout", 0.5, "--mode", mode, self.file) as serve:
                with serve.connect(64 * KIB) as client:
                    wait_until(lambda: "timed out after " in serve.err_so_far(), "it is given up")
                    with self.assertRaises(ConnectionResetError):
                        program.read_all(client)

    def test_each_client_has_a_limit(self):
        """Also when none was asked for; the kernel is asked, since nobody wants to wait for it."""
        with Serve(self.file) as serve, serve.connect(64 * KIB):
            serve.wait_connections(1)
            self.assertEqual(set(serve.socket_options(IPPROTO_TCP, TCP_USER_TIMEOUT)), {90000})

    def test_a_line_for_each_connection(self):
        with Serve(self.file) as serve:
            self.expect(run("get", "-n", 2, serve.address), 0)
            self.expect(run("get", "--abort-after", 1, serve.address), 0)
            serve.signal(signal.SIGTERM)
            lines = [line for line in serve.end().err.splitlines() if "confined" not in line]
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertRegex(line, r"\Aferry serve: 127\.0\.0\.1:\d+: (sent 24.0 MiB|reset by the peer after .* [KM]iB)\Z")

    def test_a_client_without_an_address(self):
        with Serve(self.file, listen="unix:" + self.path("socket")) as serve:
            self.expect(run("get", serve.address), 0)
            wait_until(lambda: "ferry serve: a client: sent 24.0 MiB\n" in serve.err_so_far(), "its end is told")


if __name__ == "__main__":
    unittest.main(verbosity=2)
