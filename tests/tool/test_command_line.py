# SPDX-License-Identifier: MIT
"""Command lines: help, version, and everything that can be wrong with one."""

import itertools
import os
import subprocess
import unittest

import program
from program import Case, Serve, run


class Help(Case):
    def test_help(self):
        for arguments in (["--help"], ["-h"], ["help"]):
            result = self.expect(run(*arguments), 0)
            for word in ("serve", "get", "--version", "Exit status"):
                self.assertIn(word, result.out)

    def test_help_of_a_command(self):
        for name, words in (("serve", ("--mode", "--style", "--grace")), ("get", ("--sha256", "--slow", "--compare"))):
            texts = [self.expect(run(*a), 0).out for a in (["help", name], [name, "--help"], [name, "-h"])]
            self.assertEqual(len(set(texts)), 1)
            for word in (*words, f"Usage: ferry {name}", "Exit status"):
                self.assertIn(word, texts[0])
            self.assertLessEqual(max(map(len, texts[0].splitlines())), 100)

    def test_version(self):
        result = self.expect(run("--version"), 0)
        self.assertRegex(result.out, r"\Aferry \d+\.\d+\.\d+\nbackend: (epoll|io_uring).*\navailable: epoll.*\n\Z")

    def test_a_full_disk_is_told(self):
        for arguments in (["--help"], ["--version"], ["help", "get"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run(
                    program.command(*arguments), stdout=full, stderr=subprocess.PIPE, timeout=program.FAIL_SAFE_S
                )
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"No space left", done.stderr)


class Usage(Case):
    """Each row: a command line, and what the one line on stderr must name. The status is 2, stdout stays empty."""

    ROWS = (
        ([], "a command is missing"),
        (["fetch"], "fetch"),
        (["--bad"], "--bad"),
        (["help", "fetch"], "fetch"),
        (["serve"], "FILE: is missing"),
        (["serve", ""], "FILE: is missing"),
        (["serve", "--bad", "f"], "--bad"),
        (["serve", "-x", "f"], "-x"),
        (["serve", "f", "g"], "g: one argument too many"),
        (["serve", "--mode", "f"], "'f' is not one of"),
        (["serve", "f", "--mode"], "--mode: needs a value"),
        (["serve", "--mode", "magic", "f"], "magic"),
        (["serve", "--mode=", "f"], "--mode"),
        (["serve", "--style", "threads", "f"], "'threads' is not one of reactor, coroutine"),
        (["serve", "-s", "", "f"], "-s: '' is not one of"),
        (["serve", "--quiet=1", "f"], "--quiet: takes no value"),
        (["serve", "--threads", "0", "f"], "'0' is not a number from 1 to 1024"),
        (["serve", "--threads", "1025", "f"], "1025"),
        (["serve", "--threads", "two", "f"], "two"),
        (["serve", "--backend", "select", "f"], "select"),
        (["serve", "--rate", "0", "f"], "--rate"),
        (["serve", "--rate", "-1", "f"], "--rate"),
        (["serve", "--rate", "5X", "f"], "5X"),
        (["serve", "--rate", "5KK", "f"], "5KK"),
        (["serve", "--rate", "99999999999999999999", "f"], "--rate"),
        (["serve", "--grace", "soon", "f"], "soon"),
        (["serve", "--grace", "-1", "f"], "--grace"),
        (["serve", "--grace", "1e9", "f"], "--grace"),
        (["serve", "--timeout", "0", "f"], "'0' is not a number of seconds, more than 0"),
        (["serve", "--timeout", "0.0001", "f"], "0.0001"),
        (["serve", "--timeout", "8d", "f"], "8d"),
        (["serve", "--timeout", "604801", "f"], "at most a week"),
        (["serve", "--confine", "f"], "'f' is not one of auto, require, off"),
        (["serve", "--user", "no-such-user", "f"], "'no-such-user' is not a user of this system"),
        (["serve", "--user", "root", "f"], "'root' is not a user with fewer rights than root"),
        (["serve", "--user", "", "f"], "--user: ''"),
        (["get"], "ADDRESS: is missing"),
        (["get", ""], "ADDRESS: is missing"),
        (["get", "a:1", "b:2"], "b:2"),
        (["get", "-n", "0", "a:1"], "-n: '0'"),
        (["get", "-n", "100001", "a:1"], "100001"),
        (["get", "-n", "0x10", "a:1"], "0x10"),
        (["get", "-n"], "-n: needs a value"),
        (["get", "-qz", "a:1"], "-z"),
        (["get", "--sha256", "abc", "a:1"], "abc"),
        (["get", "--sha256", "g" * 64, "a:1"], "--sha256"),
        (["get", "--size", "17179869184G", "a:1"], "--size"),
        (["get", "--size", "", "a:1"], "--size"),
        (["get", "--timeout", "0", "a:1"], "--timeout"),
        (["get", "--slow", "0", "a:1"], "--slow"),
        (["get", "--abort-after", "0", "a:1"], "--abort-after"),
        (["get", "--output", "f", "--discard", "a:1"], "--discard"),
        (["get", "--output", "f", "--abort-after", "1", "a:1"], "--abort-after"),
        (["get", "--sha256", "0" * 64, "--abort-after", "1", "a:1"], "--abort-after"),
        (["get", "--output", "", "a:1"], "--output"),
    )

    def test_rows(self):
        for arguments, error in self.ROWS:
            with self.subTest(arguments):
                self.refused(arguments, error)

    def refused(self, arguments, error):
        result = self.expect(run(*arguments, cwd=self.directory), 2, error)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, r"\Aferry[^\n]*: [^\n]+\n\Z")
        self.assertEqual(os.listdir(self.directory), [])

    def test_addresses(self):
        file, _ = self.make_file(1)
        bad = ("127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "[::1", "[::1]", "::1:", ":", "unix:")
        for address in (*bad, "unix:/" + "x" * 200):
            with self.subTest(address):
                self.expect(run("serve", "--listen", address, file), 2, f"'{address}' is not an address")
                self.expect(run("get", address), 2, f"'{address}' is not an address")


class Files(Case):
    """Files that cannot be served or compared with; the status is 1."""

    def refused(self, path, error):
        for mode, style in itertools.product(program.MODES, program.STYLES):
            with self.subTest(path=path, mode=mode, style=style):
                arguments = ("--mode", mode, "--style", style, "--listen", "127.0.0.1:0")
                result = self.expect(run("serve", *arguments, path), 1, error)
                self.assertEqual(result.out, "")
                self.assertEqual(result.err.count("\n"), 1)
        self.expect(run("get", "--compare", path, "127.0.0.1:1"), 1, error)

    def test_missing(self):
        self.refused(self.path("none"), "No such file")

    def test_a_long_path(self):
        path = self.path("./" * 1500 + "none")
        self.refused(path, f"{path}: No such file")

    def test_directory(self):
        self.refused(self.directory, "directory")

    def test_fifo(self):
        os.mkfifo(self.path("fifo"))
        self.refused(self.path("fifo"), "not a regular file")

    def test_device(self):
        self.refused("/dev/zero", "not a regular file")

    def test_unreadable(self):
        """Root may read everything, so it gives that right up first."""
        file, _ = self.make_file(10)
        os.chmod(file, 0)
        prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        for mode in program.MODES:
            self.expect(run("serve", "--mode", mode, file, prefix=prefix), 1, f"{file}: Permission denied")
        self.expect(run("get", "--compare", file, "127.0.0.1:1", prefix=prefix), 1, f"{file}: Permission denied")

    def test_address_in_use(self):
        file, _ = self.make_file(1)
        with Serve(file) as serve:
            self.expect(run("serve", "--listen", serve.address, file), 1, "Address already in use")

    def test_address_not_ours(self):
        file, _ = self.make_file(1)
        self.expect(run("serve", "--listen", "192.0.2.1:0", file), 1, "Cannot assign")

    def test_standard_output_cannot_be_written(self):
        file, _ = self.make_file(1)
        for where, why in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
            with self.subTest(where):
                prefix = ("bash", "-c", f'exec "$@" {where}', "-")
                result = self.expect(run("serve", "--listen", "127.0.0.1:0", file, prefix=prefix), 1)
                self.assertEqual(result.err, f"ferry: cannot write to standard output: {why}\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
