# SPDX-License-Identifier: MIT
"""Two network namespaces with a link between them, and programs of the build in each.

A test is process 1 of a process namespace of its own, with mounts of its own: whatever ends it, also a kill, ends all that
it started, and no namespace outlives it. It needs root.
"""

import os
import re
import shlex
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "tool"))

import program  # noqa: E402
from program import STYLE, Process, Serve, wait_until  # noqa: E402

ADDRESSES = {"server": "10.9.0.1", "client": "10.9.0.2"}
OWN_NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def main():
    """Runs the tests of the calling script, in namespaces of their own."""
    if os.getpid() != 1:
        os.execvp(OWN_NAMESPACES[0], [*OWN_NAMESPACES, sys.executable, "-B", *sys.argv])
    call("mount", "-t", "tmpfs", "tmpfs", "/run")
    unittest.main(module="__main__", verbosity=2)


def call(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(done.args)}: {done.stderr}")
    return done.stdout


def inside(space):
    return ("nsenter", f"--net=/run/netns/{space}")


def build(*names):
    return os.path.join(os.environ["FERRY_BUILD"], *names)


class Network:
    """A context: the namespaces `server` and `client`, joined by a veth pair; or, with `weather`, by tests/network/wire.c,
    which takes those settings. The device's name is `wire` on both sides."""

    def __init__(self, **weather):
        self.weather = weather
        self.wire = None

    def __enter__(self):
        for space in ADDRESSES:
            call("ip", "netns", "add", space)
            call("ip", "-n", space, "link", "set", "dev", "lo", "up")
        try:
            self.join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.wire:
            self.wire.kill()
            self.wire.communicate()
        for space in ADDRESSES:
            call("ip", "netns", "del", space)

    def join(self):
        if self.weather:
            self.start_wire()
        else:
            call(*"ip -n server link add wire type veth peer name wire netns client".split())
        for space, address in ADDRESSES.items():
            call("ip", "-n", space, "address", "add", f"{address}/24", "dev", "wire")
            # Packets as they are on a real wire, not 64 KiB in one, so that one that is lost is one of many.
            self.set_link(space, "up", "gso_max_segs", 1)

    def start_wire(self):
        settings = [f"{name}={number}" for name, number in self.weather.items()]
        spaces = [f"/run/netns/{space}" for space in ADDRESSES]
        command = [build("tests", "network", "network_wire"), *settings, *spaces, "wire"]
        self.wire = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if self.wire.stdout.readline() != "ready\n":
            raise AssertionError(f"the wire said nothing: {command}")

    def wire_counts(self):
        """Ends the wire; what it has done to packets, by the word for it."""
        self.wire.terminate()
        words = self.wire.communicate()[0]
        self.wire = None
        return {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", words)}

    def set_link(self, space, *settings):
        call("ip", "-n", space, "link", "set", "dev", "wire", *settings)

    def set_links(self, *settings):
        for space in ADDRESSES:
            self.set_link(space, *settings)

    def set_rate(self, rate):
        """So much each way; behind a short queue, so that some is dropped there."""
        for space in ADDRESSES:
            bucket = ("rate", rate, "burst", "8kb", "limit", "60kb")
            call("tc", "-n", space, "qdisc", "replace", "dev", "wire", "root", "tbf", *bucket)

    def filter(self, rule):
        """What becomes of each packet that comes in, on either side; nothing is told to who sent it."""
        table = "add table inet ferry; add chain inet ferry input { type filter hook input priority 0; }"
        for space in ADDRESSES:
            call(*inside(space), "nft", f"{table}; add rule inet ferry input iifname wire {rule}")

    def cut(self):
        self.filter("counter drop")

    def mend(self):
        """Takes the filter away; returns how many packets it caught."""
        caught = 0
        for space in ADDRESSES:
            rules = call(*inside(space), "nft", "list", "table", "inet", "ferry")
            caught += int(re.search(r"counter packets (\d+)", rules)[1])
            call(*inside(space), "nft", "delete", "table", "inet", "ferry")
        return caught

    def kill_sockets(self, space):
        """As an administrator does it."""
        call(*inside(space), "ss", "--tcp", "--ipv4", "--kill", "state", "established")


class Inside:
    """A program of the build, by its path there, in the namespace `space`."""

    space = None

    def command(self):
        launcher = shlex.split(os.environ.get("FERRY_LAUNCHER", ""))
        return [*inside(self.space), *launcher, build(self.arguments[0]), *map(str, self.arguments[1:])]


class Client(Inside, Process):
    space = "client"


class Server(Inside, Serve):
    space = "server"

    def __init__(self, *arguments):
        Process.__init__(self, *arguments)

    def __enter__(self):
        super().__enter__()
        self.descriptors = self.count_descriptors()
        return self

    def count_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_calm(self):
        """Waits until no connection is left, nor a descriptor."""
        wait_until(lambda: self.count_sockets() == self.listeners, "all connections are closed")
        wait_until(lambda: self.count_descriptors() <= self.descriptors, "all descriptors are closed")


def serve(*arguments):
    return Server("ferry", "serve", "--listen", ADDRESSES["server"] + ":0", "--style", STYLE, *arguments)


def example(name, *arguments):
    return Server(f"examples/{STYLE}/{name}", "--listen", ADDRESSES["server"] + ":0", *arguments)


def get(address, *arguments):
    return Client("ferry", "get", *arguments, address)


def settings_of(settings):
    style = {"coroutine": int(STYLE == "coroutine")}
    return [f"{name}={number}" for name, number in {**style, **settings}.items()]


def listening_end(**settings):
    """tests/network/end.c."""
    return Server("tests/network/network_end", *settings_of(settings), "listen", ADDRESSES["server"] + ":0")


def connecting_end(address, **settings):
    return Client("tests/network/network_end", *settings_of(settings), "connect", address)


class Case(program.Case):
    def expect_download(self, server, digest, connections=1):
        with get(server.address, "-n", connections, "--sha256", digest) as client:
            self.expect(client.wait(), 0)

    def expect_echo(self, server, size):
        """What comes back is compared byte by byte, and counted."""
        with connecting_end(server.address, send=size) as client:
            result = self.expect(client.wait(), 0)
            said = f"closed: 0, acknowledged, received {size}, acknowledged {size}, unsent 0"
            self.assertEqual(result.out, f"under way\n{said}\n")
