# SPDX-License-Identifier: MIT
"""Transfers over bad networks, verified by digest and byte by byte: packets are lost, late, out of order, doubled, damaged,
and more than the link takes.

FERRY_STYLE and FERRY_BACKEND say what drives the connections. All together goes on for FERRY_NETWORK_SECONDS, each time with
the next seed, from FERRY_NETWORK_SEED on.
"""

import contextlib
import os
import time

from network import Case, Network, example, main, serve
from program import KIB, MIB, MODES

SECONDS = int(os.environ.get("FERRY_NETWORK_SECONDS", "0"))
SEED = int(os.environ.get("FERRY_NETWORK_SEED", "1"))
CONNECTIONS = 3

# What the wire does, in milliseconds and in thousandths of all packets, to a transfer in which mode.
WEATHER = (
    ({"delay": 10, "jitter": 10}, "zerocopy"),
    ({"delay": 2, "reorder": 200, "hold": 3}, "chunk"),
    ({"delay": 1, "duplicate": 200}, "shared"),
    ({"delay": 1, "corrupt": 20}, "whole"),
)
ALL_TOGETHER = {"delay": 3, "jitter": 3, "reorder": 50, "duplicate": 50, "corrupt": 10, "loss": 20}
COUNTED = {"loss": "lost", "reorder": "reordered", "duplicate": "duplicated", "corrupt": "corrupted"}


class Weather(Case):
    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(MIB)

    def expect_transfers(self, *modes):
        for mode in modes:
            with self.subTest(mode=mode), serve("-q", "--mode", mode, self.file) as server:
                self.expect_download(server, self.digest, CONNECTIONS)
                server.wait_calm()
                self.expect_download(server, self.digest)
        with self.subTest("echo"), example("echo") as server:
            self.expect_echo(server, MIB)
            server.wait_calm()

    def expect_weather(self, counts, weather):
        for setting, word in COUNTED.items():
            if setting in weather:
                self.assertGreater(counts[word], 0, f"no packet was {word}: {counts}")

    def test_loss(self):
        for percent, mode in ((1, "zerocopy"), (5, "chunk")):
            with self.subTest(percent), Network() as network:
                network.filter(f"numgen random mod 100 < {percent} counter drop")
                self.expect_transfers(mode)
                self.assertGreater(network.mend(), 0)

    def test_rate(self):
        with Network() as network:
            network.set_rate("30mbit")
            self.expect_transfers("zerocopy")

    def test_wire(self):
        for weather, mode in WEATHER:
            with self.subTest(weather), Network(seed=SEED, **weather) as network:
                self.expect_transfers(mode)
                self.expect_weather(network.wire_counts(), weather)

    def test_all_together(self):
        end = time.monotonic() + SECONDS
        seed = SEED
        while seed == SEED or time.monotonic() < end:
            with self.subTest(seed=seed), Network(seed=seed, **ALL_TOGETHER) as network:
                network.set_rate("100mbit")
                self.expect_transfers(*MODES)
                self.expect_examples()
                self.expect_weather(network.wire_counts(), ALL_TOGETHER)
            seed += 1

    def expect_examples(self):
        """Those that send a file, and the relay in front of each."""
        file, digest = self.make_file(300 * KIB, "small")
        for mode in MODES:
            with self.subTest(example=mode), contextlib.ExitStack() as stack:
                server = stack.enter_context(example(f"download_{mode}", file))
                relay = stack.enter_context(example("relay", server.address))
                for way in (server, relay):
                    self.expect_download(way, digest)
                    way.wait_calm()


if __name__ == "__main__":
    main()
