# SPDX-License-Identifier: MIT
"""The tables of the suite: which servers there are, which loads they get, and what ferry is held to."""

import dataclasses
import pathlib
import shutil

FLOOR = "floor"
REACTOR = "ferry, callbacks"
COROUTINE = "ferry, coroutines"
SENDFILE = "floor: sendfile"
PREAD = "floor: pread + send"

GIB = 1 << 30
FILE_TOTAL = GIB  # bytes that a turn of a download moves, over all connections


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    argv: list  # with FILE where the path of the file goes
    floor: str = FLOOR  # what its ratio is taken to
    is_nginx: bool = False


@dataclasses.dataclass(frozen=True)
class Load:
    group: str
    column: str  # its heading in the group's table
    role: str  # which servers
    kind: str  # which load of load/load.c; "timers" runs no load
    params: dict = dataclasses.field(default_factory=dict)
    x: int = 0  # its place in the group's plot; 0 = not in it
    rounds: int = 5
    seconds: float = 0.25
    quick: bool = True  # also in the quick run

    @property
    def title(self):
        return f"{self.group}, {self.column}"


@dataclasses.dataclass(frozen=True)
class Group:
    """What a table shows of its loads: `value` of what was measured, and `ratio` to the floor in the same round."""

    name: str
    heading: str
    value: str  # the name of a metric
    unit: str
    ratio: str = ""  # "" = none is taken
    more: tuple = ()  # further metrics, listed in a table of their own
    plot: str = ""  # the metric that is plotted; "" = none
    xlabel: str = ""
    ylabel: str = ""
    note: str = ""


GROUPS = [
    Group("ping-pong", "Ping-pong, 64 bytes", "cpu", "us", "cpu", plot="cpu", xlabel="connections",
          ylabel="server CPU a message, microseconds",
          note="Each connection sends a message and waits for its echo. Server CPU a message."),
    Group("ping-pong of 16 KiB", "Ping-pong, 16 KiB", "cpu", "us", "cpu",
          note="The same with bigger messages."),
    Group("pipelined", "Pipelined messages", "cpu", "us", "cpu", plot="cpu", xlabel="messages sent at once",
          ylabel="server CPU a message, microseconds",
          note="64 connections send so many messages of 64 bytes at once; the server answers each by its own send. "
                "The floor echoes whole buffers. Go's server buffers output, and flushes when no message is left."),
    Group("feed", "One connection fed by threads", "rate", "M/s", "rate", ("cpu_ns", "peak"), plot="cpu_ns",
          xlabel="threads", ylabel="server CPU a message, nanoseconds",
          note="Messages of 64 bytes a second, as the receiver sees them; about 1 MiB is queued at most. Ratio: of "
                "that rate, so more is better. The floor: lock, append, one write a batch."),
    Group("broadcast", "Broadcast", "cpu", "us", "cpu", plot="cpu", xlabel="connections",
          ylabel="server CPU a delivery, microseconds",
          note="One connection says something, all get it. Server CPU a message delivered. The floor: a loop "
                "of send(2)."),
    Group("files", "Files", "cpu", "ms/GiB", "cpu", ("throughput",), plot="cpu", xlabel="connections",
          ylabel="server CPU a GiB, milliseconds",
          note="So many downloads at once, 1 GiB in all, from memory. Server CPU a GiB, and its ratio: of the modes "
                "that let the kernel move the bytes to bare sendfile(2), of the others to bare pread(2) and send(2)."),
    Group("accept", "Short connections", "cpu", "us", "cpu",
          note="32 connections at a time. Accept and close: the server closes at once; the floor is a loop of "
                "accept4(2) and close(2). One echo: connect, 64 bytes there and back, close."),
    Group("latency", "Small messages beside bulk", "p99", "us", "", ("p50", "p99", "p999", "max", "bulk"),
          note="One connection of 64-byte echoes beside 4 that have bulk echoed on the same loop, 128 KiB each under "
                "way. Time of a small message, there and back."),
    Group("idle", "Idle connections", "bytes", "bytes",
          note="How much resident memory the server gains by each of 10,000 connections, after one echo on each. "
                "Without the kernel's own."),
    Group("timers", "Timers", "pair", "ns", "", ("arm", "cancel", "cold"),
          note="While a million timers of one to eleven minutes are armed, one is cancelled and another armed: so many "
                "ns both. Below: a million armed and then cancelled, one of each; cold is the sum of both the first "
                "time, when nobody had touched the memory."),
]

GOALS = [  # group; limit of the ratio (or of the value, where the group has none); column and server, where not all
    ("ping-pong", 1.03, "", ""),
    ("ping-pong of 16 KiB", 1.03, "", ""),
    ("pipelined", 1.15, "16", ""),
    ("feed", 1.0, "", ""),
    ("broadcast", 1.1, "", ""),
    ("files", 1.02, "", "zerocopy"),
    ("files", 1.15, "", "chunk"),
    ("files", 1.15, "", "shared"),
    ("files", 1.15, "", "whole"),
    ("accept", 1.1, "", ""),
    ("idle", 320, "", REACTOR),
    ("idle", 4813, "", COROUTINE),
    ("timers", 60, "", ""),
]


def ping_pongs():
    for conns, rounds, seconds, quick in (
            (1, 9, 0.2, True), (16, 7, 0.15, False), (64, 9, 0.2, True), (256, 7, 0.15, False), (1000, 9, 0.2, True),
            (4000, 7, 0.25, False), (10000, 7, 0.3, False), (19000, 7, 0.4, False)):
        yield Load("ping-pong", f"{conns:,}", "echo", "pingpong", {"conns": conns, "size": 64}, conns, rounds, seconds,
                   quick)
    for conns, rounds, seconds, quick in ((1, 7, 0.2, True), (64, 7, 0.2, True), (1000, 7, 0.2, False),
                                          (10000, 7, 0.3, False)):
        yield Load("ping-pong of 16 KiB", f"{conns:,}", "echo", "pingpong", {"conns": conns, "size": 16384}, conns,
                   rounds, seconds, quick)


def loads():
    yield from ping_pongs()
    for depth in (1, 16, 256):
        yield Load("pipelined", f"{depth}", "pipelined", "pingpong", {"conns": 64, "size": 64, "depth": depth}, depth)
    for threads in (1, 2, 4, 8):
        yield Load("feed", f"{threads}", "feed", "feed", {"size": 64, "threads": threads}, threads)
    for conns, size, seconds, quick in ((1, 64, 0.2, True), (100, 64, 0.2, True), (100, 16384, 0.2, True),
                                        (10000, 64, 0.5, False)):
        yield Load("broadcast", f"{conns:,}" if size == 64 else f"{conns:,} of 16 KiB", "broadcast", "broadcast",
                   {"conns": conns, "size": size}, conns if size == 64 else 0, 5, seconds, quick)
    for conns in (1, 16, 256):
        yield Load("files", f"{conns}", "file", "download", {"conns": conns, "bytes": FILE_TOTAL // conns}, conns,
                   quick=conns == 16)
    yield Load("accept", "accept and close", "accept", "storm", {"conns": 32, "size": 0})
    yield Load("accept", "one echo", "echo", "storm", {"conns": 32, "size": 64})
    yield Load("latency", "p99", "echo", "latency", {"conns": 4, "size": 64}, seconds=0.5)
    yield Load("idle", "10,000", "echo", "idle", {"conns": 10000, "size": 64}, rounds=1)
    yield Load("timers", "1,000,000", "timers", "timers", {"count": 1000000}, rounds=5)


def ferry_servers(build, role):
    styles = ((REACTOR, "reactor"), (COROUTINE, "coroutine"))
    if role == "timers":
        return [Server("ferry", [f"{build}/bench/ferry/timers"])]
    if role == "file":
        examples = f"{build}/examples"
        return [Server(f"{name}, {mode}", [f"{examples}/{style}/download_{mode}", "--listen", "127.0.0.1:0", "FILE"],
                       SENDFILE if mode == "zerocopy" else PREAD)
                for mode in ("zerocopy", "chunk", "shared", "whole") for name, style in styles]
    place = "examples" if role == "echo" else "bench/ferry"
    return [Server(name, [f"{build}/{place}/{style}/{role}", "--listen", "127.0.0.1:0"]) for name, style in styles]


def floors(build, role):
    place = f"{build}/bench/floors"
    if role == "timers":
        return []
    if role == "file":
        return [Server(SENDFILE, [f"{place}/file", "sendfile", "2048", "FILE"], SENDFILE),
                Server(PREAD, [f"{place}/file", "pread", "64", "FILE"], PREAD)]
    return [Server(FLOOR, [f"{place}/{'echo' if role == 'pipelined' else role}"])]


def peers(build, role):
    place = f"{build}/bench/peers"
    if role == "file":
        return [Server("nginx", [shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"], SENDFILE, is_nginx=True),
                Server("Go", [f"{place}/go", "file", "FILE"], SENDFILE)]
    return [Server(name, [f"{place}/{program}", role])
            for name, program in (("libuv", "libuv"), ("libevent", "libevent"), ("Asio", "asio"), ("Go", "go"))]


def servers(build, role):
    """Those of a role, in the order of the tables, and the names of those that are not on this machine."""
    everyone = floors(build, role) + ferry_servers(build, role) + peers(build, role)
    found = [server for server in everyone if pathlib.Path(server.argv[0]).is_file()]
    return found, [server.name for server in everyone if server not in found]
