# SPDX-License-Identifier: MIT
"""Networks and peers that go away in the middle of a transfer: for a moment, which costs no byte, or for good, which both
ends are told, each in its time and with its reason; and then others are served as before.

FERRY_STYLE and FERRY_BACKEND say what drives the connections.
"""

import contextlib
import os
import re
import signal
import time

from network import Case, Client, Network, call, connecting_end, get, inside, listening_end, main, serve
from program import KIB, MIB, wait_until

# What is on the way for a second or two, at the rate of a slow link.
RATE = "12mbit"
SIZE = 3 * MIB
ENDLESS = 1 << 40

SENDING = {"send": ENDLESS}

TIMED_OUT = ("ETIMEDOUT", "timed out")
RESET = ("ECONNRESET", "reset")
ABORTED = ("ECONNABORTED", "reset")  # the kernel tells so once; who asks later is told of a reset

# What the network being gone comes to: the settings of the end that listens and of the one that connects. All limits are
# below LIMIT_S. A shut window is no progress, either: that time runs from before the cut, so it is longer, and comes last.
LIMITS = {
    "sending, user timeout": ({"send": ENDLESS, "user_timeout": 1500}, {"keepalive": 1}),
    "sending, no byte moves": ({"send": ENDLESS, "idle_timeout": 1500}, {"idle_timeout": 1500}),
    "sending, too slow": ({"send": ENDLESS, "min_rate": 64 * KIB}, {"idle_timeout": 1500}),
    "receiving, keepalive": ({"keepalive": 1}, {"send": ENDLESS, "user_timeout": 1500}),
    "both ways": ({"send": ENDLESS, "user_timeout": 1500}, {"send": ENDLESS, "user_timeout": 1500}),
    "nothing to say": ({"keepalive": 1}, {"keepalive": 1}),
    "window shut": ({"send": ENDLESS, "user_timeout": 4000}, {"read": 0, "keepalive": 1}),
}
CLOSING = ({"send": 4 * MIB, "linger": 1500}, {"keepalive": 1})
LIMIT_S = 6
SLACK_S = 6
TIMES = 2


def ending(text):
    """The reason and the verdict of the first connection that has ended."""
    found = re.search(r"^closed: (\w+), ([a-z ]+),", text, re.MULTILINE)
    return found and found.groups()


def wait_ending(end):
    wait_until(lambda: ending(end.out_so_far()), "its end is told")
    return ending(end.out_so_far())


def wait_under_way(pair, settings):
    """Until each end has received something that is sent something and reads it."""
    for end, own, others in zip(pair, settings, settings[::-1]):
        if "send" in others and own.get("read", 1):
            wait_until(lambda end=end: "under way\n" in end.out_so_far(), "bytes come")


@contextlib.contextmanager
def ends(listening, connecting):
    """Two ends with those settings, connected and at work."""
    with listening_end(**listening) as server, connecting_end(server.address, **connecting) as client:
        server.wait_connections(1)
        wait_under_way((server, client), (listening, connecting))
        yield server, client


class Cuts(Case):
    @contextlib.contextmanager
    def transfer(self, network, *flags, size=SIZE):
        """One that is under way, slowly: the server, the client and what is to come."""
        network.set_rate(RATE)
        file, digest = self.make_file(size)
        with serve(*flags, file) as server, get(server.address, "-o", self.path("kept"), "--sha256", digest) as client:
            wait_until(lambda: self.kept_so_far() > 128 * KIB, "the first bytes")
            yield server, client, digest

    def kept_so_far(self):
        names = [name for name in os.listdir(self.directory) if name.startswith("kept.")]
        return sum(os.stat(self.path(name)).st_size for name in names)

    def expect_interrupted_by(self, interrupt):
        with Network() as network, self.transfer(network) as (server, client, digest):
            self.assertIsNone(client.process.poll(), "it was over before it was interrupted")
            before = self.kept_so_far()
            interrupt(network)
            self.assertLess(before, SIZE // 2)
            self.expect(client.wait(), 0)
            self.expect_calm(network, server, digest)

    def expect_calm(self, network, server, digest):
        """No connection is left, and others are served."""
        server.wait_calm()
        network.set_rate("1gbit")
        self.expect_download(server, digest)

    def test_mended(self):
        def interrupt(network):
            network.cut()
            time.sleep(1)
            self.assertGreater(network.mend(), 0)

        self.expect_interrupted_by(interrupt)

    def test_link_down_and_up(self):
        for space in ("server", "client"):

            def interrupt(network, space=space):
                network.set_link(space, "down")
                time.sleep(0.5)
                network.set_link(space, "up")

            with self.subTest(space):
                self.expect_interrupted_by(interrupt)

    def test_packets_shrink_and_grow(self):
        def interrupt(network):
            for mtu in (576, 1280, 1500, 9000, 1500):
                network.set_links("mtu", mtu)
                time.sleep(0.1)

        self.expect_interrupted_by(interrupt)

    def test_cut_for_good(self):
        """All at once, so that they wait together."""
        with Network() as network, contextlib.ExitStack() as stack:
            network.set_rate("100mbit")
            pairs = {name: stack.enter_context(ends(*settings)) for name, settings in LIMITS.items()}
            self.expect_timed_out(network, pairs)
            for name, settings in LIMITS.items():
                with self.subTest(name):
                    self.expect_served(pairs[name][0], settings[0])

    def test_server_gives_up_clients(self):
        """One with bytes on the way to it, and one that has everything, and has not closed. Without a limit it would be a
        quarter of an hour."""
        limit = ("--timeout", 2)
        file, _ = self.make_file(KIB, "small")
        with Network() as network, serve(*limit, file) as other, get(other.address, "-q", "--slow", 1):
            wait_until(lambda: "FIN-WAIT-2" in call(*inside("server"), "ss", "-tn"), "it has everything")
            with self.transfer(network, *limit) as (server, _, digest):
                network.cut()
                for each in (server, other):
                    wait_until(lambda each=each: "timed out after " in each.err_so_far(), "the client is given up")
                network.mend()
                self.expect_calm(network, server, digest)
                other.wait_calm()

    def test_cut_while_closing(self):
        """It has sent all, and has closed, and what it has sent is still on the way."""
        with Network() as network, contextlib.ExitStack() as stack:
            network.set_rate("4mbit")
            self.expect_timed_out(network, {"closing": stack.enter_context(ends(*CLOSING))})

    def expect_timed_out(self, network, pairs):
        for end in (end for pair in pairs.values() for end in pair):
            self.assertIsNone(ending(end.out_so_far()), "it has ended before the cut")
        network.cut()
        since = time.monotonic()
        for name, pair in pairs.items():
            with self.subTest(name):
                self.assertEqual([wait_ending(end) for end in pair], [TIMED_OUT, TIMED_OUT])
        self.assertLess(time.monotonic() - since, LIMIT_S + SLACK_S)
        self.assertGreater(network.mend(), 0)

    def expect_served(self, server, settings):
        """No connection is left, and another client gets, or brings, what it should."""
        server.wait_calm()
        sent = 0 if "send" in settings else 1000
        with connecting_end(server.address, send=sent) as client:
            if sent:
                self.assertEqual(wait_ending(client), ("0", "acknowledged"))
            else:
                wait_under_way((server, client), (settings, {}))
                client.process.kill()
                client.process.wait()
        server.wait_calm()

    def test_killed_sockets(self):
        """An administrator's `ss --kill`, at either end; some times over, since it comes in the midst of what is received."""
        for space in ("server", "client"):
            for settings in ((SENDING, {}), ({}, SENDING), (SENDING, {"read": 0}), ({}, {})):
                for _ in range(TIMES):
                    with self.subTest(space=space, settings=settings), Network() as network, ends(*settings) as pair:
                        network.kill_sockets(space)
                        killed, other = pair if space == "server" else pair[::-1]
                        self.assertIn(wait_ending(killed), (ABORTED, RESET))
                        self.assertEqual(wait_ending(other), RESET)
                        self.expect_served(pair[0], settings[0])

    def test_killed_client(self):
        """With input that it has not read, and without."""
        for slow in ((), ("--slow", "64K")):
            with self.subTest(slow), Network() as network, self.transfer(network) as (server, _, digest):
                with get(server.address, "-q", *slow) as victim:
                    server.wait_connections(2)
                    time.sleep(0.2)
                    victim.signal(signal.SIGKILL)
                    victim.process.wait()
                wait_until(lambda: "reset by the peer after " in server.err_so_far(), "the reset is told")
                self.expect_calm(network, server, digest)

    def test_killed_server(self):
        """What it had sent comes, then an end that only the size, or the digest, tells from the right one."""
        with Network() as network:
            for known in (("--size", SIZE), ()):
                network.set_rate(RATE)
                with self.subTest(known), self.transfer(network) as (server, client, digest):
                    with Client("ferry", "get", *known, server.address) as other:
                        server.wait_connections(2)
                        server.signal(signal.SIGKILL)
                        self.expect(client.wait(), 1, "wrong bytes")
                        result = other.wait()
                        self.assertEqual(result.status, 1 if known else 0, result)
                        self.assertEqual(server.end().status, -signal.SIGKILL)

    def test_killed_server_with_input(self):
        """Unread, or read and more of it coming: that is a reset."""
        for reads in (0, 1):
            with self.subTest(reads), Network(), ends({"read": reads}, SENDING) as (server, client):
                server.signal(signal.SIGKILL)
                self.assertEqual(wait_ending(client), RESET)
                server.end()


if __name__ == "__main__":
    main()
