# SPDX-License-Identifier: MIT
"""6 GiB over 4 connections: offsets beyond 32 bits, lengths beyond what one sendfile() moves, against the file; and over one
by digest, which takes many times as long where the processor has no instructions for it."""

import unittest

from big import GIB, MIB, BigCase
from program import Serve, run

SIZE = 6 * GIB
CONNECTIONS = 4


class Sparse(BigCase):
    def test_modes(self):
        file, digest = self.make_sparse(SIZE, 4 * MIB)
        for mode in ("zerocopy", "chunk", "shared"):
            with self.subTest(mode), Serve("--mode", mode, file) as serve:
                result = self.expect(run("get", "-n", CONNECTIONS, "--compare", file, serve.address), 0)
                self.assertEqual(int(result.summary["bytes"].split()[0]), CONNECTIONS * SIZE)
                self.report(f"{CONNECTIONS} x 6 GiB, {mode}", serve, result)
                self.bounded(serve)
        with Serve("--mode", "zerocopy", file) as serve:
            self.expect(run("get", "--discard", "--size", SIZE, "--sha256", digest, serve.address), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
