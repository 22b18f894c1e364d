# SPDX-License-Identifier: MIT
"""The ferry program where io_uring is refused, here by a seccomp filter: it says why in one line, or goes on without."""

import errno
import os
import unittest

from program import Case, Serve, run
from refusing import refuse

IO_URING_SETUP = 425  # on every processor


class Refused(Case):
    """Each row: the error, and what the line says of it."""

    ROWS = ((errno.EPERM, "not permitted"), (errno.ENOSYS, "the kernel has none"))

    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(1000)
        self.environment = {name: value for name, value in os.environ.items() if name != "FERRY_BACKEND"}

    def refused(self, number, *arguments, **environment):
        return run(*arguments, preexec_fn=refuse(IO_URING_SETUP, number), env={**self.environment, **environment})

    def test_who_asks_is_told(self):
        for number, why in self.ROWS:
            for arguments in (
                ("serve", "--backend", "uring", "--listen", "127.0.0.1:0", self.file),
                ("get", "--backend", "uring", "--discard", "127.0.0.1:1"),
            ):
                with self.subTest(arguments=arguments, number=number):
                    result = self.expect(self.refused(number, *arguments), 1, why)
                    self.assertEqual(result.out, "")
                    self.assertRegex(result.err, r"\Aferry: no io_uring: [^\n]+\n\Z")

    def test_the_environment_asks_too(self):
        arguments = ("serve", "--backend", "epoll", "--listen", "127.0.0.1:0", self.file)
        self.expect(self.refused(errno.EPERM, *arguments, FERRY_BACKEND="uring"), 1, "not permitted")
        result = self.expect(self.refused(errno.EPERM, *arguments, FERRY_BACKEND="kqueue"), 1)
        self.assertEqual(result.err, "ferry: FERRY_BACKEND takes auto, epoll or uring, not 'kqueue'\n")

    def test_nobody_else_notices(self):
        with Serve(self.file) as serve:
            for arguments in ((), ("--backend", "auto"), ("--backend", "epoll")):
                with self.subTest(arguments):
                    got = self.refused(errno.EPERM, "get", *arguments, "--sha256", self.digest, serve.address)
                    self.assertEqual(self.expect(got, 0).err, "")

    def test_version_does_not_offer_it(self):
        for number, why in self.ROWS:
            result = self.expect(self.refused(number, "--version"), 0, why)
            self.assertRegex(result.out, rf"\nbackend: epoll \(no io_uring: [^\n]*{why}[^\n]*\)\navailable: epoll\n\Z")
            self.assertEqual(result.err.count("\n"), 1, result)


if __name__ == "__main__":
    unittest.main(verbosity=2)
