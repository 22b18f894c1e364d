# SPDX-License-Identifier: MIT
"""What many slow readers of a big file cost the server: memory by the number of connections, not by the file."""

import os
import tempfile
import unittest

import clients
from server import Server

MIB = 1 << 20
GIB = 1 << 30
READERS = 64
ALLOWED = 16 * MIB


class SlowReaders(unittest.TestCase):
    def check(self, name, size, allowed):
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(size)
            with Server(name, file.name) as server:
                readers = [clients.connect(server.address, receive_buffer=32 << 10) for _ in range(READERS)]
                for _ in range(64):
                    for reader in readers:
                        clients.read_exactly(reader, 64 << 10)
                peak = server.peak_memory()
                for reader in readers:
                    reader.close()
        print(f"{name}: {READERS} readers of {size >> 20} MiB: {peak / MIB:.1f} MiB resident at most")
        if "FERRY_TEST_SLOW" not in os.environ:
            self.assertLess(peak, allowed)

    def test_chunk(self):
        self.check("download_chunk", 4 * GIB, ALLOWED)

    def test_shared(self):
        self.check("download_shared", 4 * GIB, ALLOWED)

    def test_zerocopy(self):
        self.check("download_zerocopy", 4 * GIB, ALLOWED)

    def test_whole(self):
        """The file once, not once a connection."""
        self.check("download_whole", 64 * MIB, 64 * MIB + ALLOWED)
