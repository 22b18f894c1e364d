# SPDX-License-Identifier: MIT
"""Clients that cost a server something without end, many of each at a time: rude.py PROGRAMS

They are silent, write a line for ever, a byte at a time or without an end, read nothing or next to nothing of what they
are sent. Each kind is ended by the limit that is meant for it; what they cost is bounded; and who is polite is served
all the while, by the same loops.
"""

import contextlib
import pathlib
import sys
import tempfile
import time

from load import KIB, MIB, SLOW, STYLES, Clients, LoadServer, clients, server

EACH = 40 // SLOW
HELD = 20
IDLE_MS, DEADLINE_MS, RATE, PENDING = 1500, 3000, 50_000, 256 * KIB
FILE_SIZE = 8 * MIB
TINY = 4096  # of a receive buffer
# What the kernel takes before anything is pending in the server is much more than this, a client.
FLOOD, STEP = 6 * MIB, 64 * KIB
# Queued for one that does not read: by callbacks max_pending, by coroutines high_water, and what is read at a time.
ALLOWED = 2 * EACH * 2 * MIB + 16 * MIB
LATENCY_US = 50_000 * SLOW


class Rude:
    """One of them; it acts at each tick, and is over when the server has ended it."""

    receive_buffer = None
    reads = True

    def __init__(self, address):
        self.socket = clients.connect(address, self.receive_buffer)
        self.socket.setblocking(False)
        self.over = False

    def send(self, data):
        with contextlib.suppress(BlockingIOError):
            try:
                return self.socket.send(data)
            except (ConnectionResetError, BrokenPipeError):
                self.over = True
        return 0

    def tick(self):
        """Nothing, most of the time."""

    def look(self):
        """Whether the server has ended it."""
        if not self.over and self.reads:
            with contextlib.suppress(BlockingIOError):
                try:
                    self.over = self.receive() == b""
                except ConnectionResetError:
                    self.over = True
        return self.over

    def receive(self):
        return self.socket.recv(STEP)


class Silent(Rude):
    service, ending = "line", {"reactor": "timed_out", "coroutine": "timed_out"}


class Trickling(Rude):
    """Slowloris: it is never idle, so that the server needs a deadline."""

    service, ending = "line", {"reactor": "aborted", "coroutine": "aborted"}

    def tick(self):
        self.send(b"x")


class Endless(Rude):
    service, ending = "line", {"reactor": "too_long", "coroutine": "aborted"}

    def tick(self):
        self.send(bytes(STEP))


class NeverReading(Rude):
    """It is told of its end by the next byte that it sends."""

    service, ending = "echo", {"reactor": "too_much", "coroutine": "timed_out"}
    receive_buffer, reads = TINY, False

    def tick(self):
        self.send(bytes(STEP))


class Sipping(Rude):
    """It reads a little of a file at each tick, much less than the rate."""

    service, ending = "file", {"reactor": "timed_out", "coroutine": "timed_out"}
    receive_buffer = TINY

    def receive(self):
        return self.socket.recv(100)


KINDS = (Silent, Trickling, Endless, NeverReading, Sipping)


def outlast(rude):
    """Until the server has ended all of them."""
    end = time.monotonic() + server.FAIL_SAFE_S
    while rude:
        for one in rude:
            one.tick()
        rude = [one for one in rude if not one.look()]
        if time.monotonic() > end:
            raise AssertionError(f"of {type(rude[0]).__name__} {len(rude)} are never ended")
        time.sleep(0.05)


def endure(load, style):
    """All kinds at once; returns the endings that there must be."""
    expected = dict.fromkeys(("timed_out", "aborted", "too_long", "too_much"), 0)
    with contextlib.ExitStack() as stack:
        rude = []
        for kind in KINDS:
            expected[kind.ending[style]] += EACH
            for _ in range(EACH):
                rude.append(kind(load.at[style][kind.service]))
                stack.enter_context(rude[-1].socket)
        outlast(rude)
    return expected


def check(load, style, before):
    report = load.report()
    expected = endure(load, style)
    now = load.settled_report(held=HELD)
    found = {name: now[name] - report[name] for name in expected}
    if found != expected:
        raise AssertionError(f"ended as {found}, and should have as {expected}")
    print(f"{style}: {found}; {load.resident() // KIB} KiB resident, at most {load.peak_memory() // KIB}", flush=True)
    if load.peak_memory() - before > ALLOWED:
        raise AssertionError(f"they cost {(load.peak_memory() - before) // KIB} KiB")


def main():
    limits = {"idle": IDLE_MS, "deadline": DEADLINE_MS, "rate": RATE, "pending": PENDING}
    flags = [word for name, value in limits.items() for word in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "file")
        file.write_bytes(bytes(FILE_SIZE))
        with LoadServer(str(file), *flags) as load:
            before = load.resident()
            with Clients("load_crowd", HELD, *load.everywhere("echo")) as crowd:
                crowd.figures()
                load.wait_busy(HELD)
                alone, load.descriptors = load.descriptors, load.count_descriptors()
                for style in STYLES:
                    crowd.go_on(4000)
                    check(load, style, before)
                    held = crowd.figures()
                    print(f"{held['messages']} messages of the polite, p50 {held['p50_us']} us, p99 {held['p99_us']} us")
                    if held["p50_us"] > LATENCY_US:
                        raise AssertionError(f"half of them took {held['p50_us']} us")
                load.descriptors = alone
    return 0


if __name__ == "__main__":
    sys.exit(main())
