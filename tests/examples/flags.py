# SPDX-License-Identifier: MIT
"""The command lines: what is wrong ends the program with one line that says so, before it has served anybody."""

import os
import re
import tempfile
import unittest

import server
from server import Server

SERVICES = ("echo", "discard", "chargen", "daytime", "time", "sudoku", "idle", "pingpong", "roundtrip")
DOWNLOADS = ("download_whole", "download_chunk", "download_shared", "download_zerocopy", "file_latency")

# The flags, and what the line must say.
MISTAKES = (
    (["-x"], "invalid option -- 'x'"),
    (["--listen"], "option '--listen' requires an argument"),
    (["--threads"], "option '--threads' requires an argument"),
    (["--threads", "two"], "--threads takes a number from 0 to 1024, not 'two'"),
    (["--threads", ""], "--threads takes a number from 0 to 1024, not ''"),
    (["--threads", "2x"], "--threads takes a number from 0 to 1024, not '2x'"),
    (["--threads", "-1"], "--threads takes a number from 0 to 1024, not '-1'"),
    (["--threads", "1025"], "--threads takes a number from 0 to 1024, not '1025'"),
    (["--threads", "99999999999999999999"], "--threads takes a number from 0 to 1024"),
    (["--backend", "kqueue"], "--backend takes auto, epoll or uring, not 'kqueue'"),
    (["--backend", ""], "--backend takes auto, epoll or uring, not ''"),
    (["--help=yes"], "option '--help' doesn't allow an argument"),
)
BAD_ADDRESSES = ("", "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x", "unix:")


class Flags(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = os.path.join(self.folder, "file")
        with open(self.file, "wb") as file:
            file.write(b"content")

    def each(self):
        """Every program, with the operand it needs; under valgrind, where a start takes seconds, two of them."""
        if int(os.environ.get("FERRY_TEST_SLOW", "1")) >= 20:
            yield from self.one_of_each_kind()
            return
        for name in SERVICES:
            yield name, []
        for name in DOWNLOADS:
            yield name, [self.file]

    def one_of_each_kind(self):
        """For what is the common parser's affair."""
        yield "echo", []
        yield "download_whole", [self.file]

    def check_refused(self, expected, says, name, *arguments, **options):
        """It ends with that status and one line on stderr that has its name and the reason."""
        with self.subTest(name=name, arguments=arguments):
            status, said, line = server.run(name, *arguments, **options)
            self.assertEqual((status, said or ""), (expected, ""), line)
            self.assertRegex(line, rf"^\S*{name}: [^\n]*{re.escape(says)}[^\n]*\n$")

    def test_help(self):
        for name, _ in self.each():
            with self.subTest(name=name):
                status, text, errors = server.run(name, "--help")
                self.assertEqual((status, errors), (0, ""))
                for word in ("usage:", name, "--listen", "--threads", "--backend", "--help"):
                    self.assertIn(word, text)
                self.assertEqual(" FILE\n" in text, name in DOWNLOADS)

    def test_mistakes(self):
        for name, operands in self.each():
            self.check_refused(2, "unrecognized option '--bogus'", name, *operands, "--bogus")
        for name, operands in self.one_of_each_kind():
            for flags, says in MISTAKES:
                self.check_refused(2, says, name, *operands, *flags)

    def test_operands(self):
        for name in SERVICES:
            self.check_refused(2, "unexpected argument 'extra'", name, "extra")
        for name in DOWNLOADS:
            self.check_refused(2, "the FILE is missing", name)
            self.check_refused(2, "unexpected argument 'extra'", name, self.file, "extra")

    def test_bad_addresses(self):
        for name, operands in self.one_of_each_kind():
            for address in BAD_ADDRESSES:
                says = f"--listen takes an address, not '{address}'"
                self.check_refused(2, says, name, *operands, "--listen", address)

    def test_impossible_addresses(self):
        missing = f"unix:{self.folder}/no/such/folder"
        for name, operands in self.one_of_each_kind():
            for address, reason in (("192.0.2.1:0", "Cannot assign requested address"), (missing, "No such file")):
                self.check_refused(1, f"cannot listen on {address}: {reason}", name, *operands, "--listen", address)

    def test_uring(self):
        """Where there is no io_uring it says so, and does not serve by another backend. A folder is no place for a
        socket, so that it ends in either case."""
        status, said, line = server.run("echo", "--backend", "uring", "--listen", f"unix:{self.folder}")
        self.assertEqual((status, said), (1, ""))
        self.assertRegex(line, r"^\S*echo: cannot (start with backend uring|listen on unix:[^:]+): [^\n]+\n$")

    def test_port_in_use(self):
        with Server("echo") as first:
            for name, operands in self.each():
                says = f"cannot listen on {first.address}: Address already in use"
                self.check_refused(1, says, name, *operands, "--listen", first.address)

    def test_files_that_cannot_be_served(self):
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        for name in DOWNLOADS:
            for path, reason in (
                (os.path.join(self.folder, "missing"), "No such file or directory"),
                (os.path.join(self.file, "below"), "Not a directory"),
                (self.folder, "Is a directory"),
                (fifo, "it is not a regular file"),
                ("/dev/zero", "it is not a regular file"),
                ("", "No such file or directory"),
            ):
                self.check_refused(1, f"cannot serve '{path}': {reason}", name, path)

    def test_unreadable_file(self):
        """Root reads everything, so it is made to give up that right first."""
        os.chmod(self.file, 0)
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        for name in DOWNLOADS:
            self.check_refused(1, f"cannot serve '{self.file}': Permission denied", name, self.file, prefix=prefix)

    def test_stdout_full(self):
        """Whoever waits for the address must not wait for ever."""
        with open("/dev/full", "w") as full:
            for name, operands in self.one_of_each_kind():
                listen = ["--listen", "127.0.0.1:0"]
                self.check_refused(1, "cannot write to stdout", name, *operands, *listen, stdout=full)
                self.check_refused(1, "cannot write to stdout", name, "--help", stdout=full)
