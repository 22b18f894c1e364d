# SPDX-License-Identifier: MIT
"""Clients are killed in the middle of their downloads, again and again, while others verify theirs."""

import os
import signal
import unittest

from big import GIB, BigCase
from program import MODES, Process, Serve, wait_until

GROUPS = 4


class Killed(BigCase):
    def kill_one_group(self, serve, number):
        kept = self.path(f"kept{number}")
        with Process("get", "-n", 8, "--slow", "8M", "-o", kept, serve.address) as victim:
            wait_until(lambda: any(os.stat(name).st_size > 0 for name in self.leftovers()), "the first bytes")
            victim.signal(signal.SIGKILL)
        for name in self.leftovers():
            os.unlink(name)

    def leftovers(self):
        return [self.path(name) for name in os.listdir(self.directory) if name.startswith("kept")]

    def test_modes(self):
        file = self.make_random(GIB)
        for mode in MODES:
            with self.subTest(mode), Serve("-q", "--mode", mode, file) as serve:
                with Process("get", "-n", 6, "--slow", "200M", "--compare", file, serve.address) as witness:
                    for number in range(GROUPS):
                        self.kill_one_group(serve, number)
                    self.assertIsNone(witness.process.poll(), "the witness was done before the last one was killed")
                    result = self.expect(witness.wait(), 0)
                self.report(f"6 x 1 GiB beside {GROUPS * 8} killed, {mode}", serve, result)
                self.bounded(serve, GIB if mode == "whole" else 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
