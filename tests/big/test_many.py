# SPDX-License-Identifier: MIT
"""64 connections of 256 MiB of random bytes, in every mode, each compared byte by byte."""

import unittest

from big import MIB, BigCase
from program import MODES, Serve, run

SIZE = 256 * MIB
CONNECTIONS = 64


class Many(BigCase):
    def test_modes(self):
        file = self.make_random(SIZE)
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, file) as serve:
                result = self.expect(run("get", "-n", CONNECTIONS, "--compare", file, serve.address), 0)
                self.assertEqual(result.summary["connections"], f"{CONNECTIONS} done, 0 failed")
                self.report(f"{CONNECTIONS} x 256 MiB, {mode}", serve, result)
                self.bounded(serve, SIZE if mode == "whole" else 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
