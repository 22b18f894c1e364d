# SPDX-License-Identifier: MIT
"""The tables of the suite: which servers there are, which loads they get, and what ferry is held to."""

import dataclasses
import pathlib
import shutil

FLOOR = "floor"
URING_FLOOR = "floor, io_uring"
REACTOR = "ferry, callbacks"
COROUTINE = "ferry, coroutines"
EPOLL, URING = ", epoll", ", io_uring"  # one of these ends the name of a server that has the choice
SENDFILE = "floor: sendfile"
PREAD = "floor: pread + send"

GIB = 1 << 30
FILE_TOTAL = GIB  # bytes that a turn of a download moves, over all connections


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    argv: list  # with FILE where the path of the file goes
    floor: str = FLOOR  # what its ratio is taken to
    beside: dict = dataclasses.field(default_factory=dict)  # whom else it is compared with, by what these are to it
    environment: dict = dataclasses.field(default_factory=dict)
    is_nginx: bool = False

    @property
    def may_be_missing(self):
        """Though it was built: a kernel may have no io_uring, or not for us. Then it does not start, and says why."""
        return self.name.endswith(URING)


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


@dataclasses.dataclass(frozen=True)
class Goal:
    """A limit of the ratio, or of the value where the group has none."""

    group: str
    limit: float
    who: str = ""  # what is in the servers' names
    column: str = ""  # "" = all
    to: str = ""  # to whom of those beside it the ratio is; "" = the floor


OWN_FLOOR, OWN_EPOLL = "the io_uring floor", "itself by epoll"
POOL = (1 << 20) / 10000  # bytes: the part that each idle connection has in the io_uring backend's receive buffers

GOALS = [
    Goal("ping-pong", 1.03),
    Goal("ping-pong", 1.05, to=OWN_FLOOR),
    Goal("ping-pong", 1.0, to=OWN_EPOLL),
    Goal("ping-pong of 16 KiB", 1.03),
    Goal("pipelined", 1.15, column="16"),
    Goal("pipelined", 1.05, column="16", to=OWN_FLOOR),
    Goal("pipelined", 1.0, to=OWN_EPOLL),
    Goal("feed", 1.0),
    Goal("broadcast", 1.1),
    Goal("files", 1.02, "zerocopy"),
    Goal("files", 1.15, "chunk"),
    Goal("files", 1.15, "shared"),
    Goal("files", 1.15, "whole"),
    Goal("accept", 1.1),
    Goal("idle", 320, REACTOR + EPOLL),
    Goal("idle", 320 + POOL, REACTOR + URING),
    Goal("idle", 4813, COROUTINE + EPOLL),
    Goal("idle", 4813 + POOL, COROUTINE + URING),
    Goal("timers", 60),
]


def ping_pongs():
    for conns, rounds, seconds, quick in ((1, 41, 0.1, True), (64, 31, 0.1, True), (256, 31, 0.1, False),
                                          (1000, 31, 0.1, True), (10000, 9, 0.3, False), (19000, 7, 0.4, False)):
        yield Load("ping-pong", f"{conns:,}", "echo", "pingpong", {"conns": conns, "size": 64}, conns, rounds, seconds,
                   quick)
    for conns, rounds, seconds, quick in ((64, 7, 0.2, True), (1000, 7, 0.2, False), (10000, 3, 0.3, False)):
        yield Load("ping-pong of 16 KiB", f"{conns:,}", "echo", "pingpong", {"conns": conns, "size": 16384}, conns,
                   rounds, seconds, quick)


def loads():
    yield from ping_pongs()
    for depth in (1, 16, 256):
        yield Load("pipelined", f"{depth}", "pipelined", "pingpong", {"conns": 64, "size": 64, "depth": depth}, depth,
                   rounds=21, seconds=0.1, quick=depth == 16)
    for threads in (1, 4, 8):
        yield Load("feed", f"{threads}", "feed", "feed", {"size": 64, "threads": threads}, threads, quick=threads < 8)
    for conns, size, rounds, seconds, quick in ((1, 64, 5, 0.2, False), (100, 64, 5, 0.2, True),
                                                (100, 16384, 5, 0.2, True), (10000, 64, 3, 0.5, False)):
        yield Load("broadcast", f"{conns:,}" if size == 64 else f"{conns:,} of 16 KiB", "broadcast", "broadcast",
                   {"conns": conns, "size": size}, conns if size == 64 else 0, rounds, seconds, quick)
    for conns in (1, 16, 256):
        yield Load("files", f"{conns}", "file", "download", {"conns": conns, "bytes": FILE_TOTAL // conns}, conns,
                   quick=conns == 16)
    yield Load("accept", "accept and close", "accept", "storm", {"conns": 32, "size": 0})
    yield Load("accept", "one echo", "echo", "storm", {"conns": 32, "size": 64})
    yield Load("latency", "p99", "echo", "latency", {"conns": 4, "size": 64}, seconds=0.5)
    yield Load("idle", "10,000", "echo", "idle", {"conns": 10000, "size": 64}, rounds=1)
    yield Load("timers", "1,000,000", "timers", "timers", {"count": 1000000}, rounds=5)


def by_backend(name, argv, floor=FLOOR, both=True):
    """A server of ferry's with each backend: with io_uring it is also compared with itself with epoll."""
    yield Server(name + EPOLL, argv, floor, environment={"FERRY_BACKEND": "epoll"})
    if both:
        yield Server(name + URING, argv, floor, {OWN_FLOOR: URING_FLOOR, OWN_EPOLL: name + EPOLL},
                     {"FERRY_BACKEND": "uring"})


def ferry_servers(build, role):
    styles = ((REACTOR, "reactor"), (COROUTINE, "coroutine"))
    if role == "timers":
        return [Server("ferry", [f"{build}/bench/ferry/timers"])]
    found = []
    if role == "file":
        for mode in ("zerocopy", "chunk", "shared", "whole"):
            for name, style in styles:
                argv = [f"{build}/examples/{style}/download_{mode}", "--listen", "127.0.0.1:0", "FILE"]
                floor = SENDFILE if mode == "zerocopy" else PREAD
                found += by_backend(f"{name}, {mode}", argv, floor, both=mode != "shared")  # which is sent like chunk
        return found
    place = "examples" if role == "echo" else "bench/ferry"
    for name, style in styles:
        found += by_backend(name, [f"{build}/{place}/{style}/{role}", "--listen", "127.0.0.1:0"])
    return found


def floors(build, role):
    place = f"{build}/bench/floors"
    if role == "timers":
        return []
    if role == "file":
        return [Server(SENDFILE, [f"{place}/file", "sendfile", "2048", "FILE"], SENDFILE),
                Server(PREAD, [f"{place}/file", "pread", "64", "FILE"], PREAD)]
    if role in ("echo", "pipelined"):
        return [Server(FLOOR, [f"{place}/echo"]), Server(URING_FLOOR, [f"{place}/uring_echo"])]
    return [Server(FLOOR, [f"{place}/{role}"])]


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
