# SPDX-License-Identifier: MIT
"""Every mode of serve delivers the file, to one client and to many, at a rate, over every kind of address.

All of it runs once in each style (FERRY_STYLE).
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
import unittest

import program
from program import KIB, MIB, MODES, Case, Process, Serve, run

SIZE = 20 * MIB // program.SLOW + 12345


class Modes(Case):
    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(SIZE)

    def verify(self, mode, connections):
        with self.subTest(mode=mode, connections=connections), Serve("--mode", mode, self.file) as serve:
            result = run("get", "-n", connections, "--size", SIZE, "--sha256", self.digest, serve.address)
            self.expect(result, 0)
            self.assertEqual(result.summary["connections"], f"{connections} done, 0 failed")
            self.assertEqual(result.summary["bytes"].split()[0], str(SIZE * connections))
            self.assertEqual(result.summary["sha256"], self.digest)
            self.expect(run("get", "-q", "-n", connections, "--compare", self.file, serve.address), 0)

    def test_one_connection(self):
        for mode in MODES:
            self.verify(mode, 1)

    def test_eight_connections(self):
        for mode in MODES:
            self.verify(mode, 8)

    def test_more_connections_than_threads(self):
        with Serve("--threads", 3, "--mode", "shared", self.file) as serve:
            self.expect(run("get", "-n", 7, "-t", 2, "--sha256", self.digest, serve.address), 0)

    def test_each_backend(self):
        os.environ.pop("FERRY_BACKEND", None)  # which would be taken instead
        for name in ("epoll", "uring"):
            with self.subTest(name), Serve("--backend", name, self.file) as serve:
                self.expect(run("get", "--backend", name, "--sha256", self.digest, serve.address), 0)

    def test_keeps_the_file(self):
        kept = self.path("kept")
        with Serve(self.file) as serve:
            self.expect(run("get", "-o", kept, serve.address), 0)
        with open(kept, "rb") as file:
            self.assertEqual(hashlib.file_digest(file, "sha256").hexdigest(), self.digest)
        self.assertEqual(sorted(os.listdir(self.directory)), ["file", "kept"])
        self.assertEqual(os.stat(kept).st_mode & 0o777, os.stat(self.file).st_mode & 0o777)


class Sizes(Case):
    def test_small_and_empty(self):
        for size in (0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1):
            file, digest = self.make_file(size)
            for mode in MODES:
                with self.subTest(size=size, mode=mode), Serve("--mode", mode, file) as serve:
                    self.expect(run("get", "-n", 2, "--size", size, "--sha256", digest, serve.address), 0)

    def test_file_replaced_under_its_name(self):
        """chunk opens the file for each connection; the others keep the one they began with."""
        old, old_digest = self.make_file(1000)
        new, new_digest = self.make_file(2000, "new")
        for mode, digest in (("chunk", new_digest), ("shared", old_digest), ("whole", old_digest)):
            copy = self.path("copy")
            shutil.copyfile(old, copy)
            with self.subTest(mode), Serve("--mode", mode, copy) as serve:
                shutil.copyfile(new, self.path("next"))
                os.rename(self.path("next"), copy)
                self.expect(run("get", "--sha256", digest, serve.address), 0)


class Rate(Case):
    """The bytes are right at any rate. That the rate is kept is only looked at very loosely, and from below."""

    def test_modes(self):
        size = 64 * KIB
        file, digest = self.make_file(size)
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, "--rate", "100K", file) as serve:
                begin = time.monotonic()
                self.expect(run("get", "-n", 3, "--size", size, "--sha256", digest, serve.address), 0)
                self.assertGreater(time.monotonic() - begin, 0.2)

    def test_lowest_rate(self):
        """At a byte a second, that byte comes. All modes at once, because it takes seconds."""
        file, digest = self.make_file(2)
        with contextlib.ExitStack() as stack:
            serves = [stack.enter_context(Serve("--mode", mode, "--rate", 1, file)) for mode in MODES]
            gets = [stack.enter_context(Process("get", "--sha256", digest, serve.address)) for serve in serves]
            for mode, get in zip(MODES, gets):
                with self.subTest(mode):
                    self.expect(get.wait(), 0)

    def test_high_rate(self):
        size = 4 * MIB
        file, digest = self.make_file(size)
        for mode in MODES:
            with self.subTest(mode), Serve("--mode", mode, "--rate", "1T", file) as serve:
                self.expect(run("get", "-n", 3, "--size", size, "--sha256", digest, serve.address), 0)


class Addresses(Case):
    def test_rows(self):
        file, digest = self.make_file(MIB)
        path = "unix:" + self.path("socket")
        for listen in ("127.0.0.1:0", "[::1]:0", "localhost:0", path, "unix:@" + self.path("abstract")):
            with self.subTest(listen), Serve(file, listen=listen) as serve:
                if listen.startswith("unix:"):
                    self.assertEqual(serve.address, listen)
                self.expect(run("get", "-n", 3, "--sha256", digest, serve.address), 0)
        self.assertEqual(os.listdir(self.directory), ["file"])

    def test_all_addresses(self):
        file, digest = self.make_file(MIB)
        with Serve(file, listen=":0") as serve:
            port = serve.address.rsplit(":", 1)[1]
            for host in ("127.0.0.1", "[::1]", "localhost"):
                self.expect(run("get", "--sha256", digest, f"{host}:{port}"), 0)


class OtherClients(Case):
    """What people have at hand reads the file, too."""

    CLIENTS = (
        "nc {host} {port} </dev/null",
        "nc -N {host} {port} </dev/null",
        "nc -d {host} {port}",
        "socat -u TCP:{host}:{port} -",
        "socat -t60 TCP:{host}:{port} - </dev/null",
        "exec 3<>/dev/tcp/{host}/{port}; cat <&3",
        "curl --silent --http0.9 http://{host}:{port}/",
    )

    def test_rows(self):
        file, digest = self.make_file(SIZE)
        for mode in MODES:
            with Serve("--mode", mode, file) as serve:
                host, port = program.split(serve.address)
                for client in self.CLIENTS:
                    line = client.format(host=host, port=port)
                    with self.subTest(mode=mode, client=line):
                        self.read(line, digest)

    def read(self, line, digest):
        done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, timeout=program.FAIL_SAFE_S)
        self.assertEqual(done.returncode, 0)
        self.assertEqual((len(done.stdout), hashlib.sha256(done.stdout).hexdigest()), (SIZE, digest))

    def test_python(self):
        file, digest = self.make_file(SIZE)
        with Serve(file) as serve, serve.connect() as client:
            self.assertEqual(program.read_all(client), (SIZE, digest))


class OtherServers(Case):
    """ferry get reads from what people have at hand."""

    def serve_with(self, command, file):
        process = subprocess.Popen(["bash", "-c", "exec " + command.format(path=self.path("socket"), file=file)])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        program.wait_until(self.is_listening, command)

    def is_listening(self):
        """The file is there before it takes connections."""
        with open("/proc/net/unix") as sockets:
            return any(line.split()[3::4] == ["00010000", self.path("socket")] for line in sockets)

    def test_nc(self):
        file, digest = self.make_file(SIZE)
        self.serve_with("nc -N -l -U {path} <{file}", file)
        self.expect(run("get", "--sha256", digest, "unix:" + self.path("socket")), 0)

    def test_socat(self):
        file, digest = self.make_file(SIZE)
        self.serve_with("socat -U UNIX-LISTEN:{path},fork OPEN:{file},rdonly", file)
        self.expect(run("get", "-n", 8, "--sha256", digest, "unix:" + self.path("socket")), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
