# SPDX-License-Identifier: MIT
"""What ferry serve will not do: leave the folder of its file, and stay root when it is not to.

Becoming another user takes root; who runs this as somebody else sees that it is refused.
"""

import os
import pwd
import shutil
import unittest

import program
from program import Case, Serve, run, wait_until

NOBODY = "nobody"

# Where nobody can listen: what should have been refused before that ends at once.
NOWHERE = ("--listen", "unix:/there-is-no-such-folder/socket")


def status_of(process, task=""):
    """/proc/PID/status, or a thread's, as a table."""
    with open(f"/proc/{process.pid}/{task}status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


class Folder(Case):
    """chunk opens the file for each connection, under the name that it was given."""

    def setUp(self):
        super().setUp()
        self.outside, self.outside_digest = self.make_file(2000, "outside")
        os.mkdir(self.path("folder"))
        self.file, self.digest = self.make_file(1000, "folder/file")
        self.name = self.path("folder/name")

    def link(self, to):
        """Makes the name a link, at once."""
        os.symlink(to, self.path("folder/next"))
        os.rename(self.path("folder/next"), self.name)

    def test_a_link_out_of_it_is_refused(self):
        for to in ("../outside", self.outside, "/etc/passwd", "../folder/file", self.file, "/proc/self/exe"):
            self.link(to)
            with self.subTest(to):
                result = run("serve", "--mode", "chunk", *NOWHERE, self.name)
                self.assertEqual(self.expect(result, 1, "it leads out of its folder").out, "")

    def test_a_link_that_comes_later_is_not_followed(self):
        shutil.copy(self.file, self.name)
        with Serve("--mode", "chunk", self.name) as serve:
            for to in ("../outside", self.outside, "sub/../../outside"):
                self.link(to)
                os.makedirs(self.path("folder/sub"), exist_ok=True)
                with self.subTest(to):
                    self.expect(run("get", serve.address), 1, "reset by the peer")
            wait_until(lambda: serve.err_so_far().count("it leads out of its folder") >= 3, "each is told")
            self.link("file")
            self.expect(run("get", "--sha256", self.digest, serve.address), 0)

    def test_a_link_inside_is_followed(self):
        for to in ("file", "./file", "sub/../file"):
            os.makedirs(self.path("folder/sub"), exist_ok=True)
            self.link(to)
            with self.subTest(to), Serve("--mode", "chunk", self.name) as serve:
                self.expect(run("get", "--sha256", self.digest, serve.address), 0)

    def test_what_is_no_file_is_refused(self):
        os.mkfifo(self.path("folder/fifo"))
        rows = (
            ("", "directory"),
            ("/", "directory"),
            ("/..", "it leads out of its folder"),
            ("/fifo", "not a regular file"),
            ("/none", "No such"),
        )
        for name, error in rows:
            with self.subTest(name):
                path = self.path("folder") + name
                self.expect(run("serve", "--mode", "chunk", *NOWHERE, path), 1, error)

    def test_how_it_is_named_does_not_matter(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.environ["FERRY_BUILD"] = os.path.abspath(os.environ["FERRY_BUILD"])
        os.chdir(self.path("folder"))
        for name in ("file", "./file", "../folder/file", self.file, "//" + self.file):
            with self.subTest(name), Serve("--mode", "chunk", name) as serve:
                self.expect(run("get", "--sha256", self.digest, serve.address), 0)

    def test_the_other_modes_follow_what_they_are_given(self):
        self.link("../outside")
        for mode in ("zerocopy", "shared", "whole"):
            with self.subTest(mode), Serve("--mode", mode, self.name) as serve:
                self.expect(run("get", "--sha256", self.outside_digest, serve.address), 0)

    def test_its_folder_may_be_renamed(self):
        with Serve("--mode", "chunk", self.file) as serve:
            os.rename(self.path("folder"), self.path("moved"))
            os.mkdir(self.path("folder"))
            shutil.copy(self.outside, self.file)
            self.expect(run("get", "--sha256", self.digest, serve.address), 0)


@unittest.skipUnless(os.geteuid() == 0, "takes root; see Refused")
class User(Case):
    def setUp(self):
        super().setUp()
        self.file, self.digest = self.make_file(1000)

    def test_nothing_of_root_is_left(self):
        user = pwd.getpwnam(NOBODY)
        for backend in ("epoll", "uring"):
            flags = ("--user", NOBODY, "-t", 3, "-b", backend)
            with self.subTest(backend), Serve(*flags, self.file, extra_groups=[0, 1, 2]) as serve:
                self.expect(run("get", "-n", 5, "--sha256", self.digest, serve.address), 0)
                for task in os.listdir(f"/proc/{serve.process.pid}/task"):
                    status = status_of(serve.process, f"task/{task}/")
                    self.assertEqual(status["Uid"].split(), [str(user.pw_uid)] * 4)
                    self.assertEqual(status["Gid"].split(), [str(user.pw_gid)] * 4)
                    self.assertEqual(status["Groups"].split(), [])
                    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                        self.assertEqual(int(status[name], 16), 0, name)

    def test_a_file_that_only_root_can_read(self):
        """It is open before: nobody needs any right, but in chunk, where it is told at the start."""
        os.chmod(self.directory, 0o755)
        os.chmod(self.file, 0o600)
        for mode in ("zerocopy", "shared", "whole"):
            with self.subTest(mode), Serve("--user", NOBODY, "--mode", mode, self.file) as serve:
                self.expect(run("get", "--sha256", self.digest, serve.address), 0)
        arguments = ("serve", "--user", NOBODY, "--mode", "chunk", "--listen", "127.0.0.1:0", self.file)
        self.assertEqual(self.expect(run(*arguments), 1, f"{self.file}: Permission denied, for nobody").out, "")
        os.chmod(self.file, 0o644)
        with Serve("--user", NOBODY, "--mode", "chunk", self.file) as serve:
            self.expect(run("get", "--sha256", self.digest, serve.address), 0)

    def test_a_port_that_only_root_can_have(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
            lowest = int(file.read())
        for port in range(min(lowest, 1024) - 1, 0, -1):
            if self.serves_on(port):
                return

    def serves_on(self, port):
        """False = something else is there."""
        try:
            with Serve("--user", NOBODY, self.file, listen=f"127.0.0.1:{port}") as serve:
                self.expect(run("get", "--sha256", self.digest, serve.address), 0)
        except AssertionError as error:
            if "Address already in use" in str(error):
                return False
            raise
        return True


class Refused(Case):
    """As nobody, who may look into any folder all the same; and as root without the rights."""

    ROWS = (
        (("--reuid", NOBODY, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"), "only root can become"),
        (("--bounding-set=-setgid",), "cannot become nobody: Operation not permitted"),
        (("--bounding-set=-setuid",), "cannot become nobody: Operation not permitted"),
    )

    def test_rows(self):
        file, _ = self.make_file(1)
        arguments = ("serve", "--user", NOBODY, "--listen", "127.0.0.1:0", file)
        if os.geteuid() != 0:
            self.assertEqual(self.expect(run(*arguments), 1, "only root can become").out, "")
            return
        for setpriv, error in self.ROWS:
            with self.subTest(setpriv):
                result = run(*arguments, prefix=("setpriv", *setpriv))
                self.assertEqual(self.expect(result, 1, f"--user: {error}").out, "")

    def test_rights_that_come_back(self):
        """With this bit set, a process keeps its capabilities when it becomes another user: it is seen, and not served."""
        if os.geteuid() == 0:
            file, _ = self.make_file(1)
            arguments = ("serve", "--user", NOBODY, "--listen", "127.0.0.1:0", file)
            result = run(*arguments, prefix=("setpriv", "--securebits=+no_setuid_fixup"))
            self.assertEqual(self.expect(result, 1, "--user: nobody could become root again").out, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
