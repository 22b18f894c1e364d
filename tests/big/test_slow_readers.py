# SPDX-License-Identifier: MIT
"""64 readers of 64 KiB/s beside 4 fast ones: the fast ones are not slowed, and the slow ones cost little memory.

Rates are compared as a ratio, within one round, because a machine's speed drifts; one good round of a few is enough.
"""

import unittest

from big import GIB, BigCase, gib_per_second
from program import MODES, Process, Serve, run

SLOW_READERS = 64
ROUNDS = 4


class SlowReaders(BigCase):
    def fast(self, serve, file):
        return gib_per_second(self.expect(run("get", "-n", 4, "--compare", file, serve.address), 0))

    def round(self, serve, file):
        alone = self.fast(serve, file)
        with Process("get", "-q", "-n", SLOW_READERS, "--slow", "64K", "--compare", file, serve.address) as slow:
            beside = self.fast(serve, file)
            self.assertIsNone(slow.process.poll(), slow.err_so_far())
        print(f"4 fast readers: {alone:.2f} GiB/s alone, {beside:.2f} beside {SLOW_READERS} slow ones", flush=True)
        return beside / alone

    def test_modes(self):
        file = self.make_random(GIB)
        for mode in MODES:
            with self.subTest(mode), Serve("-q", "--mode", mode, file) as serve:
                ratios = []
                while not ratios or (max(ratios) < 0.5 and len(ratios) < ROUNDS):
                    ratios.append(self.round(serve, file))
                self.report(f"{mode}: ratio {max(ratios):.2f}", serve)
                self.assertGreaterEqual(max(ratios), 0.5, ratios)
                self.bounded(serve, GIB if mode == "whole" else 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
