# SPDX-License-Identifier: MIT
"""What is tested of every example: a session of its own kind, on every kind of address, and the ways to end."""

import os
import tempfile
import unittest

import clients
from server import Server


class Example(unittest.TestCase):
    name = None  # of the program

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.arguments = []

    def start(self, *flags, **options):
        return Server(self.name, *flags, *self.arguments, **options)

    def session(self, address):
        """One client's connection from beginning to end, and what must come of it."""
        raise NotImplementedError


class Everywhere:
    """Tests for each class that says what a session is."""

    def check_at(self, listen, *flags):
        with self.start(*flags, listen=listen) as server:
            self.session(server.address)
            return server.address

    def test_ipv4(self):
        self.assertRegex(self.check_at("127.0.0.1:0"), r"^127\.0\.0\.1:[1-9]\d*$")

    def test_ipv6(self):
        self.assertRegex(self.check_at("[::1]:0"), r"^\[::1\]:[1-9]\d*$")

    def test_host_name(self):
        self.assertRegex(self.check_at("localhost:0"), r":[1-9]\d*$")

    def test_all_addresses(self):
        with self.start(listen=":0") as server:
            port = server.address.rpartition(":")[2]
            self.session(f"127.0.0.1:{port}")
            self.session(f"[::1]:{port}")

    def test_unix_path(self):
        path = os.path.join(self.folder, "socket")
        self.assertEqual(self.check_at(f"unix:{path}"), f"unix:{path}")
        self.assertFalse(os.path.exists(path), "the socket's file is removed at the end")

    def test_unix_abstract(self):
        address = f"unix:@ferry-test-{self.name}-{os.getpid()}"
        self.assertEqual(self.check_at(address), address)

    def test_backend_by_name(self):
        self.check_at("127.0.0.1:0", "--backend", "epoll")

    def test_two_threads(self):
        with self.start("--threads", "2") as server:
            for _ in range(8):
                self.session(server.address)

    def test_one_thread_a_core(self):
        self.check_at("127.0.0.1:0", "--threads", "0")

    def test_stops_at_once(self):
        """A signal that comes before anything else has happened is not lost.

        But for one that comes in the first blocking call of a thread, which ThreadSanitizer of gcc 12 may lose: so in
        instrumented builds that is over before."""
        with self.start() as server:
            if "FERRY_TEST_SLOW" in os.environ:
                with clients.connect(server.address):
                    server.wait_busy(connections=1)
            server.terminate()
            server.wait_end()

    def test_client_that_resets(self):
        with self.start() as server:
            for _ in range(4):
                clients.reset(clients.connect(server.address))
            self.session(server.address)

    def test_client_that_leaves(self):
        with self.start() as server:
            for _ in range(4):
                clients.connect(server.address).close()
            self.session(server.address)
