# SPDX-License-Identifier: MIT
"""ferry serve, confined: that it is, that it serves all the same, and what it says where the kernel cannot.

tool_escape tries to get out, call by call; here a debugger makes the running program try.
"""

import errno
import os
import platform
import re
import signal
import subprocess
import unittest
import unittest.mock

import program
from program import KIB, MODES, STYLES, Case, Serve, run, wait_until
from refusing import refuse
from test_root import status_of

os.environ.pop("FERRY_TEST_SLOW", None)  # which would have servers not confined: see program.py

LANDLOCK_CREATE_RULESET = 444
SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]


class Confined(Case):
    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(200 * KIB)

    def test_serves_all_the_same(self):
        os.environ.pop("FERRY_BACKEND", None)  # which would be taken instead
        for mode in MODES:
            for style in STYLES:
                for backend in ("epoll", "uring"):
                    flags = ("--confine", "require", "-t", 2, "-m", mode, "-s", style, "-b", backend)
                    with self.subTest(flags), Serve(*flags, self.file) as serve:
                        self.expect(run("get", "-n", 3, "--sha256", self.digest, serve.address), 0)

    def test_paced_and_by_a_unix_socket(self):
        path = self.path("socket")
        with Serve("--confine", "require", "--rate", "1M", self.file, listen=f"unix:{path}") as serve:
            self.expect(run("get", "-n", 2, "--sha256", self.digest, serve.address), 0)
            self.assertTrue(os.path.exists(path))
        self.assertFalse(os.path.exists(path))

    def test_each_thread_is(self):
        with Serve("-t", 3, "-m", "chunk", "-s", "coroutine", self.file) as serve:
            self.expect(run("get", "-n", 5, "--sha256", self.digest, serve.address), 0)
            tasks = os.listdir(f"/proc/{serve.process.pid}/task")
            self.assertGreaterEqual(len(tasks), 3)
            for task in tasks:
                status = status_of(serve.process, f"task/{task}/")
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
            wait_until(lambda: "confined to its file" in serve.err_so_far(), "it is told")
            self.assertRegex(serve.err_so_far(), r"(?m)^ferry serve: confined [^\n]*, by Landlock \d+ and seccomp$")

    def test_off(self):
        with Serve("--confine", "off", self.file) as serve:
            status = status_of(serve.process)
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("0", "0"))
            serve.signal(signal.SIGTERM)
            self.assertEqual(self.expect(serve.end(), 0).err, "")

    def test_quiet(self):
        with Serve("--quiet", self.file) as serve:
            self.assertEqual(status_of(serve.process)["Seccomp"], "2")
            serve.signal(signal.SIGTERM)
            self.assertEqual(self.expect(serve.end(), 0).err, "")


class Debugged(Case):
    """Each row: what the program is made to call, and what must come of it: -1, and this errno."""

    ROWS = (
        ('((int (*)(const char *, int))open)("/etc/passwd", 0)', errno.EPERM, errno.EACCES),
        ("((int (*)(int, int, int))socket)(2, 1, 0)", errno.EPERM, errno.EPERM),
        ('((int (*)(const char *, void *, void *))execve)("/bin/true", 0, 0)', errno.EPERM, errno.EPERM),
        ("((int (*)(int, int))kill)(1, 0)", errno.EPERM, errno.EPERM),
    )

    def test_it_cannot_get_out(self):
        file, _ = self.make_file(1)
        for mode, column in (("zerocopy", 1), ("chunk", 2)):
            with self.subTest(mode), Serve("-t", 1, "--mode", mode, file) as serve:
                self.escape(serve, column)

    def escape(self, serve, column):
        script = []
        for row in self.ROWS:
            script += ["-ex", f"print {row[0]}", "-ex", "print *((int *(*)(void))__errno_location)()"]
        done = subprocess.run(
            ["gdb", "-nx", "-batch", "-p", str(serve.process.pid), *script],
            capture_output=True,
            text=True,
            timeout=program.FAIL_SAFE_S,
        )
        said = re.findall(r"^\$\d+ = (-?\d+)$", done.stdout, re.MULTILINE)
        wanted = [str(number) for row in self.ROWS for number in (-1, row[column])]
        self.assertEqual(said, wanted, done.stdout + done.stderr)


class Kernels(Case):
    """Where the kernel has not what it takes: each row a call that is missing, with its error, and the words for it."""

    ROWS = (
        (LANDLOCK_CREATE_RULESET, errno.ENOSYS, "Landlock: the kernel has none, or it is switched off"),
        (LANDLOCK_CREATE_RULESET, errno.EOPNOTSUPP, "Landlock: the kernel has none, or it is switched off"),
        (LANDLOCK_CREATE_RULESET, errno.EINVAL, "Landlock: Invalid argument"),
        (SECCOMP, errno.ENOSYS, "seccomp: the kernel has none, or it is switched off"),
    )

    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(1000)

    def test_it_goes_on_and_says_so(self):
        for call, number, why in self.ROWS:
            with self.subTest(why), Serve("--quiet", self.file, preexec_fn=refuse(call, number)) as serve:
                self.expect(run("get", "--sha256", self.digest, serve.address), 0)
                serve.signal(signal.SIGTERM)
                self.assertEqual(self.expect(serve.end(), 0).err, f"ferry serve: not confined by {why}\n")

    def test_who_requires_it_is_told(self):
        arguments = ("serve", "--confine", "require", "--listen", "127.0.0.1:0", self.file)
        for call, number, why in self.ROWS:
            with self.subTest(why):
                result = self.expect(run(*arguments, preexec_fn=refuse(call, number)), 1)
                self.assertEqual((result.out, result.err), ("", f"ferry serve: --confine=require: no {why}\n"))


class NoFilter(Case):
    """The program as built without libseccomp."""

    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(1000)
        build = os.path.join(os.environ["FERRY_BUILD"], "tests", "tool", "no_digests")
        self.enterContext(unittest.mock.patch.dict(os.environ, FERRY_BUILD=build))

    def test_it_goes_on_and_says_so(self):
        with Serve("--quiet", self.file) as serve:
            self.expect(run("get", "--compare", self.file, serve.address), 0)
            serve.signal(signal.SIGTERM)
            self.assertEqual(self.expect(serve.end(), 0).err, "ferry serve: not confined by seccomp: built without libseccomp\n")

    def test_who_requires_it_is_told(self):
        result = self.expect(run("serve", "--confine", "require", "--listen", "127.0.0.1:0", self.file), 1)
        self.assertEqual(result.err, "ferry serve: --confine=require: no seccomp: built without libseccomp\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
