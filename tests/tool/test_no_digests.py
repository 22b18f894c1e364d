# SPDX-License-Identifier: MIT
"""ferry get as built without libcrypto: no digests, and it says so; sizes and files are compared all the same."""

import os
import unittest

import rude
from program import Case, run

os.environ["FERRY_BUILD"] = os.path.join(os.environ["FERRY_BUILD"], "tests", "tool", "no_digests")


class NoDigests(Case):
    def test_sha256_is_refused(self):
        self.expect(run("get", "--sha256", "0" * 64, "127.0.0.1:1"), 2, "--sha256: this program was built without")

    def test_sizes_are_compared(self):
        def answer(peer, index):
            peer.sendall(b"x" * (1000 + (index == 3)))
            rude.end(peer)

        with rude.server(answer) as address:
            result = self.expect(run("get", "-n", 3, address), 0)
            self.assertEqual(result.summary["sha256"], "not computed: built without libcrypto")
        with rude.server(answer) as address:
            self.expect(run("get", "-n", 5, address), 1, "where connection")

    def test_files_are_compared(self):
        file, _ = self.make_file(1000)
        with open(file, "rb") as original:
            data = original.read()

        def answer(peer, index):
            peer.sendall(data if index == 0 else data[:-1] + b"%c" % (data[-1] ^ 1))
            rude.end(peer)

        with rude.server(answer) as address:
            self.expect(run("get", "--compare", file, address), 0)
            self.expect(run("get", "--compare", file, address), 1, f"differs from {file} at byte 999")


if __name__ == "__main__":
    unittest.main(verbosity=2)
