# SPDX-License-Identifier: MIT
"""ferry get against servers that misbehave, and what it shows."""

import os
import pty
import resource
import signal
import threading
import time
import unittest

import program
import rude
from program import KIB, MIB, Case, Process, Serve, run, wait_until

HALF = 300 * KIB
DATA = bytes(range(256)) * (2 * HALF // 256)


class Faults(Case):
    """Each fault ends in status 1 and a line that names it; nothing is left under the output's name, or beside it."""

    def caught(self, answer, error, *options):
        with rude.server(answer) as address:
            self.failed(error, *options, address)

    def failed(self, error, *arguments):
        kept = self.path("kept")
        result = self.expect(run("get", "-o", kept, *arguments), 1, error)
        self.assertEqual(os.listdir(self.directory), [])
        self.assertNotIn("sha256", result.out)
        return result

    @staticmethod
    def half(peer, index):
        peer.sendall(DATA[:HALF])
        rude.end(peer)

    @staticmethod
    def whole(peer, index):
        peer.sendall(DATA)
        rude.end(peer)

    def test_short(self):
        self.caught(self.half, f"ended after {HALF} of {2 * HALF} bytes", "--size", 2 * HALF)

    def test_nothing(self):
        self.caught(lambda peer, index: rude.end(peer), "ended after 0 of 5 bytes", "--size", 5)

    def test_long(self):
        self.caught(self.whole, f"more than the {HALF} bytes expected", "--size", HALF)

    def test_endless(self):
        def answer(peer, index):
            while True:
                peer.sendall(DATA)

        self.caught(answer, "more than the 1048576 bytes expected", "--size", "1M", "-n", 3)

    def test_reset(self):
        def answer(peer, index):
            peer.sendall(DATA[:HALF])
            rude.reset(peer)

        self.caught(answer, "reset by the peer after ")
        self.caught(answer, "reset by the peer after ", "--size", HALF)

    def test_reset_without_a_byte(self):
        """It may come before connecting is over."""
        self.caught(lambda peer, index: rude.reset(peer), "reset by the peer")

    def test_silence(self):
        begin = time.monotonic()
        self.caught(lambda peer, index: peer.recv(1), "timed out after 0 B", "--timeout", 0.3)
        self.assertGreater(time.monotonic() - begin, 0.2)

    def test_silence_after_some_bytes(self):
        def answer(peer, index):
            peer.sendall(DATA[:HALF])
            peer.recv(1)

        self.caught(answer, "timed out after 300.0 KiB", "--timeout", 5)

    def test_refused(self):
        with rude.refusing_address() as address:
            self.failed("cannot connect: Connection refused", address)
        self.failed("cannot connect: No such file", "unix:" + self.path("none"))

    def test_unknown_name(self):
        self.failed("cannot connect", "no.such.name.invalid:1")

    def test_many_failures_are_few_lines(self):
        with rude.refusing_address() as address:
            result = self.failed("and 15 more failed", "-n", 20, address)
        self.assertEqual(result.err.count("\n"), 6)
        self.assertIn("connection 1: cannot connect", result.err)
        self.assertEqual(result.summary["connections"], "0 done, 20 failed")

    def test_wrong_digest(self):
        self.caught(self.whole, "wrong bytes: their SHA-256 is ", "--sha256", "0" * 64)

    def test_one_of_many_is_short(self):
        def answer(peer, index):
            (self.half if index == 3 else self.whole)(peer, index)

        self.caught(answer, "bytes, where connection ", "-n", 8)

    def test_one_of_many_is_other(self):
        def answer(peer, index):
            peer.sendall(DATA[:-1] + (b"x" if index == 3 else DATA[-1:]))
            rude.end(peer)

        self.caught(answer, "other bytes than connection ", "-n", 8)
        with rude.server(answer) as address:
            self.expect(run("get", "-n", 3, "--discard", address), 0)

    def test_differs_from_the_file(self):
        file, _ = self.make_file(2 * HALF)
        with open(file, "rb") as original:
            data = bytearray(original.read())
        data[HALF + 7] ^= 1

        def answer(peer, index):
            peer.sendall(data)
            rude.end(peer)

        with rude.server(answer) as address:
            self.expect(run("get", "--compare", file, address), 1, f"differs from {file} at byte {HALF + 7}")

    def test_shorter_and_longer_than_the_file(self):
        file = self.path("original")
        for size, error in ((HALF - 1, "more than"), (HALF + 1, "ended after")):
            with open(file, "wb") as original:
                original.write(DATA[:size])
            with rude.server(self.half) as address:
                self.expect(run("get", "--compare", file, address), 1, error)

    def test_size_and_file_contradict_each_other(self):
        file, _ = self.make_file(10)
        self.expect(run("get", "--size", 11, "--compare", file, "127.0.0.1:1"), 2, "--size says 11 bytes")


class Output(Case):
    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(MIB)

    def content(self, path):
        with open(path, "rb") as file:
            return file.read()

    def test_replaces_the_file_only_when_all_is_well(self):
        kept = self.path("kept")
        with open(kept, "wb") as file:
            file.write(b"old")
        with Serve(self.file) as serve:
            self.expect(run("get", "-o", kept, "--sha256", "0" * 64, serve.address), 1)
            self.assertEqual(self.content(kept), b"old")
            self.expect(run("get", "-o", kept, "-n", 3, serve.address), 0)
            self.assertEqual(self.content(kept), self.content(self.file))
        self.assertEqual(sorted(os.listdir(self.directory)), ["file", "kept"])

    def test_a_link_and_a_mode_stay(self):
        kept, link = self.path("kept"), self.path("link")
        with open(kept, "wb"):
            os.chmod(kept, 0o600)
        os.symlink("kept", link)
        with Serve(self.file) as serve:
            self.expect(run("get", "-o", link, serve.address), 0)
        self.assertEqual(self.content(kept), self.content(self.file))
        self.assertEqual((os.readlink(link), os.stat(kept).st_mode & 0o777), ("kept", 0o600))
        self.assertEqual(sorted(os.listdir(self.directory)), ["file", "kept", "link"])

    def test_places_that_cannot_be_written(self):
        rows = (
            (self.directory, "Is a directory"),
            (self.path("none/kept"), "No such file"),
            ("/dev/null", "not a regular file"),
            (self.path("dangling"), "No such file"),
            (self.path("file/kept"), "Not a directory"),
        )
        os.symlink("none", self.path("dangling"))
        for path, error in rows:
            with self.subTest(path):
                self.expect(run("get", "-o", path, "127.0.0.1:1"), 1, f"cannot write {path}: {error}")
        self.assertEqual(sorted(os.listdir(self.directory)), ["dangling", "file"])

    def test_full_disk(self):
        """A limit on the size of files stands in for it."""

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (500 * KIB, 500 * KIB))

        kept = self.path("kept")
        with Serve(self.file) as serve:
            result = run("get", "-n", 2, "-o", kept, serve.address, preexec_fn=limit)
            self.expect(result, 1, f"connection 1: cannot write {kept}: File too large")
        self.assertEqual(os.listdir(self.directory), ["file"])

    def test_closed_standard_error(self):
        """What is kept does not get its number, and so not the line of progress that comes after two seconds."""
        closed = ("bash", "-c", 'exec "$@" 2>&-', "-")
        if os.environ.get("FERRY_LAUNCHER"):  # valgrind does not start so
            closed = ()
        file, _ = self.make_file(300 * KIB, "small")
        with Serve(file) as serve:
            self.expect(run("get", "-o", self.path("kept"), "--slow", "100K", serve.address, prefix=closed), 0)
        self.assertEqual(self.content(self.path("kept")), self.content(file))

    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number), Serve(self.file) as serve:
                self.interrupt(number, serve.address)
                self.assertEqual(os.listdir(self.directory), ["file"])

    def interrupt(self, number, address):
        with Process("get", "-o", self.path("kept"), "--slow", "50K", address) as get:
            wait_until(lambda: any(os.stat(self.path(n)).st_size > 0 for n in self.temporaries()), "the first bytes")
            get.signal(number)
            self.expect(get.wait(), 1, "interrupted after ")

    def test_nobody_reads_the_errors(self):
        """Writing them is no reason to end before what was begun is taken away."""
        reader, writer = os.pipe()
        os.close(reader)
        with rude.refusing_address() as address:
            arguments = program.command("get", "-o", self.path("kept"), address)
            status = program.subprocess.run(arguments, stdout=writer, stderr=writer, timeout=program.FAIL_SAFE_S).returncode
        os.close(writer)
        self.assertEqual((status, os.listdir(self.directory)), (1, ["file"]))

    def temporaries(self):
        return [name for name in os.listdir(self.directory) if name.startswith("kept.")]


class Options(Case):
    def test_slow(self):
        size = 200 * KIB
        file, digest = self.make_file(size)
        with Serve(file) as serve:
            begin = time.monotonic()
            self.expect(run("get", "-n", 3, "--slow", "200K", "--size", size, "--sha256", digest, serve.address), 0)
            self.assertGreater(time.monotonic() - begin, 0.5)

    def test_slow_is_not_silent(self):
        """What was read ahead takes longer to work off than the timeout; that does not count as silence."""
        file, digest = self.make_file(100 * KIB)
        with Serve(file) as serve:
            self.expect(run("get", "--slow", "20K", "--timeout", 2, "--sha256", digest, serve.address), 0)

    def test_abort_after(self):
        file, _ = self.make_file(8 * MIB)
        for bytes in (1, 100000, 5 * MIB):
            with self.subTest(bytes), Serve(file) as serve:
                result = self.expect(run("get", "-n", 4, "--abort-after", bytes, serve.address), 0)
                self.assertEqual(result.summary["connections"], "4 aborted as asked, 0 failed")
                self.assertEqual(result.summary["bytes"].split()[0], str(4 * bytes))
                self.expect(run("get", "--compare", file, serve.address), 0)

    def test_abort_after_more_than_there_is(self):
        file, _ = self.make_file(1000)
        with Serve(file) as serve:
            self.expect(run("get", "--abort-after", 1001, serve.address), 1, "before it was to be aborted")

    def test_more_connections_than_descriptors(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        file, _ = self.make_file(1000)
        with Serve(file) as serve:
            result = run("get", "-n", 100, "--slow", 1000, serve.address, preexec_fn=limit)
            self.expect(result, 1, "Too many open files")
            self.assertGreater(int(result.summary["connections"].split()[0]), 0)


class Shown(Case):
    """What is printed while it runs, and where."""

    SUMMARY = ("connections", "bytes", "time", "rate", "slowest", "fastest", "sha256")

    def test_plain_lines_and_quiet(self):
        """Three at once, because they take seconds: a line of progress comes every other second, the first long before
        the end."""
        file, _ = self.make_file(700 * KIB)
        slowly = ("--slow", "100K")
        with (
            Serve("-q", file) as serve,
            Process("get", *slowly, "--size", "700K", serve.address) as known,
            Process("get", *slowly, "-q", serve.address) as quiet,
        ):
            self.check_plain(self.expect(run("get", *slowly, "-n", 2, serve.address), 0))
            first = self.expect(known.wait(), 0).err.splitlines()[0]
            self.assertRegex(first, r"\Aferry get: \d+%, .* of 700.0 KiB, .*/s, 0 of 1 ended, \d+:\d\d left\Z")
            self.assertEqual(str(quiet.wait()), "status 0\nstdout: \nstderr: ")
        self.assertEqual(serve.result.err, "")

    def check_plain(self, result):
        for text in (result.out, result.err):
            self.assertRegex(text, r"\A[\n -~]*\Z")
        self.assertEqual(tuple(line.split()[0] for line in result.out.splitlines()), self.SUMMARY)
        self.assertRegex(result.err, r"\Aferry get: .* KiB, .*/s, 0 of 2 ended\n")

    def test_quiet_failures_are_told(self):
        file, _ = self.make_file(KIB)
        with Serve(file) as serve:
            result = self.expect(run("get", "-q", "--sha256", "0" * 64, serve.address), 1, "wrong bytes")
        self.assertEqual(result.out, "")

    def test_terminal(self):
        file, _ = self.make_file(200 * KIB)
        with Serve(file) as serve:
            shown = self.on_terminal("get", "--slow", "50K", "--size", "200K", serve.address)
        self.assertRegex(shown, r"\r +\d+% \[=*> *\] [^\r]*KiB of 200.0 KiB, [^\r]*\x1b\[K\r")
        self.assertRegex(shown, r"\r100% \[=+\] 200.0 KiB of 200.0 KiB, [^\r]*, 1 of 1 ended\x1b\[K\r\n")

    def on_terminal(self, *arguments):
        """Runs it with a terminal for stderr; returns what came there."""
        controller, terminal = pty.openpty()
        chunks = []

        def read():
            try:
                while data := os.read(controller, 4096):
                    chunks.append(data)
            except OSError:  # the last one to have the terminal open has closed it
                pass

        reader = threading.Thread(target=read)
        reader.start()
        environment = {**os.environ, "TERM": "xterm"}
        process = program.subprocess.Popen(
            program.command(*arguments), stdout=program.subprocess.DEVNULL, stderr=terminal, env=environment
        )
        os.close(terminal)
        self.assertEqual(process.wait(timeout=program.FAIL_SAFE_S), 0)
        reader.join()
        os.close(controller)
        return b"".join(chunks).decode()


if __name__ == "__main__":
    unittest.main(verbosity=2)
