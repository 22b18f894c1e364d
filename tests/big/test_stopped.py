# SPDX-License-Identifier: MIT
"""SIGTERM with 8 downloads of 1 GiB in flight: all of them end verified within the grace time, and serve with 0."""

import signal
import unittest

from big import GIB, BigCase
from program import MODES, Process, Serve


class Stopped(BigCase):
    def test_modes(self):
        file = self.make_random(GIB)
        for mode in MODES:
            with self.subTest(mode), Serve("--grace", 120, "--mode", mode, file) as serve:
                with Process("get", "-n", 8, "--slow", "400M", "--compare", file, serve.address) as get:
                    serve.wait_connections(8)
                    serve.signal(signal.SIGTERM)
                    serve.wait_deaf()
                    self.assertIsNone(get.process.poll(), "the downloads were over before the signal came")
                    self.report(f"8 x 1 GiB, {mode}: told to stop", serve)
                    result = self.expect(get.wait(), 0)
                self.assertEqual(result.summary["connections"], "8 done, 0 failed")
                end = self.expect(serve.end(), 0)
                self.assertEqual(end.err.count("sent 1.0 GiB"), 8, end)


if __name__ == "__main__":
    unittest.main(verbosity=2)
