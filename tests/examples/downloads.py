# SPDX-License-Identifier: MIT
"""The four ways to send a file: from the outside they are one, but for what they make of a file that changes."""

import hashlib
import os
import random
import socket
import tempfile

import clients
from example import Everywhere, Example
from server import wait_until

MIB = 1 << 20
SIZES = (0, 1, 65_535, 65_536, 65_537, 131_072, 3 * MIB)


class Download(Example):
    survives_unlink = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = random.Random(cls.name).randbytes(3 * MIB)
        cls.arguments = [cls.make_file(cls.data)]

    @classmethod
    def make_file(cls, data, size=None):
        """A file with that content, made larger by a hole if `size` says so."""
        with tempfile.NamedTemporaryFile(dir=cls.folder, delete=False) as file:
            file.write(data)
            file.truncate(len(data) if size is None else size)
            return file.name

    def serve(self, path, *flags):
        self.arguments = [path]
        return self.start(*flags)

    def session(self, address):
        with clients.connect(address) as client:
            self.assertTrue(clients.read_all(client) == self.data)


class Downloads(Everywhere):
    """The tests of each of the four."""

    def test_sizes(self):
        for size in SIZES:
            with self.subTest(size=size), self.serve(self.make_file(self.data[:size])) as server:
                with clients.connect(server.address) as client:
                    self.assertTrue(clients.read_all(client) == self.data[:size])

    def test_half_close_at_once(self):
        with self.start() as server:
            self.assertTrue(clients.ask(server.address) == self.data)

    def test_input_is_ignored(self):
        with self.start() as server:
            self.assertTrue(clients.ask(server.address, b"GET /other HTTP/1.0\r\n\r\n" * 10_000) == self.data)

    def test_byte_at_a_time(self):
        data = self.data[:30_000]
        with self.serve(self.make_file(data)) as server, clients.connect(server.address) as client:
            self.assertEqual(clients.read_all(client, step=1), data)

    def test_standard_clients(self):
        with self.start() as server:
            self.assertTrue(clients.nc(server.address) == self.data)
            self.assertTrue(clients.nc(server.address, "-N") == self.data)
            self.assertTrue(clients.socat(server.address, "-u") == self.data)
            self.assertTrue(clients.socat(server.address) == self.data)
            self.assertTrue(clients.curl_http(server.address) == self.data)

    def test_many_at_once(self):
        with self.start("--threads", "2") as server:
            readers = [clients.connect(server.address) for _ in range(16)]
            digests = clients.read_digests(readers)
            self.assertEqual(set(digests), {hashlib.sha256(self.data).hexdigest()})
            for reader in readers:
                reader.close()

    def test_reset_in_the_middle(self):
        with self.serve(self.make_file(b"", size=64 * MIB)) as server:
            for _ in range(4):
                client = clients.connect(server.address)
                clients.read_exactly(client, 100_000)
                clients.reset(client)

    def test_killed_client(self):
        with self.serve(self.make_file(b"", size=64 * MIB)) as server:
            clients.kill_client(server)

    def test_stops_when_all_have_their_file(self):
        """SIGTERM lets a download that is under way finish.

        The file is larger than the kernel's buffers, and small enough for the grace time of a slow build."""
        size = 12 * MIB
        with self.serve(self.make_file(b"", size)) as server, clients.connect(server.address) as client:
            clients.read_exactly(client, 1)
            server.terminate()
            self.assertEqual(len(clients.read_all(client)), size - 1)
            server.wait_end()

    def test_stops_at_the_second_signal(self):
        """A client that does not read is cut, and cannot take what it has for the whole."""
        with self.serve(self.make_file(b"", size=64 * MIB)) as server, clients.connect(server.address) as client:
            clients.read_exactly(client, 1)
            server.terminate()
            wait_until(lambda: clients.is_refused(server.address), "the listener closed")
            server.terminate()
            server.wait_end()
            with self.assertRaises(ConnectionResetError):
                clients.read_all(client)

    def test_truncated_in_the_middle(self):
        size = 64 * MIB
        path = self.make_file(b"", size)
        with self.serve(path) as server, clients.connect(server.address) as client:
            clients.read_exactly(client, 1)
            os.truncate(path, 1)
            self.check_truncated(client, size - 1)

    def check_truncated(self, client, left):
        with self.assertRaises(ConnectionResetError):
            clients.read_all(client)

    def test_unlinked(self):
        path = self.make_file(self.data)
        with self.serve(path) as server:
            os.unlink(path)
            self.check_unlinked(server.address)

    def check_unlinked(self, address):
        self.session(address)


class Whole(Downloads, Download):
    name = "download_whole"

    def check_truncated(self, client, left):
        """Memory does not care."""
        self.assertEqual(len(clients.read_all(client)), left)


class Chunk(Downloads, Download):
    name = "download_chunk"

    def check_unlinked(self, address):
        """It opens the file for each connection and cannot any more: no FIN, which would mean an empty file."""
        with self.assertRaises(ConnectionResetError), clients.connect(address) as client:
            clients.read_all(client)

    def test_read_error(self):
        """The first page of a process's memory is never mapped: reading the file fails."""
        with self.serve("/proc/self/mem") as server:
            with self.assertRaises(ConnectionResetError), clients.connect(server.address) as client:
                clients.read_all(client)


class Shared(Downloads, Download):
    name = "download_shared"


class Zerocopy(Downloads, Download):
    name = "download_zerocopy"
