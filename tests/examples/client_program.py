# SPDX-License-Identifier: MIT
"""A client program under test, its partners, and what is tested of each: its command line, and that somebody listens.

A partner is a server of a few lines of Python; for each connection it runs a function on a thread of its own.
"""

import contextlib
import errno
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading

import clients
import server
from server import FAIL_SAFE_S


# A client that fails resets what it has open.
GONE = (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)


class Partner:
    """A context: inside it answer(connection) runs for each connection; when it is left, all of them have returned."""

    def __init__(self, answer, receive_buffer=None):
        self.answer = answer
        self.receive_buffer = receive_buffer
        self.threads = []
        self.failures = []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        if self.receive_buffer:  # before there is a connection: what is promised to one is not taken back
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()
        return self

    def __exit__(self, kind, value, trace):
        self.listener.shutdown(socket.SHUT_RD)
        self.acceptor.join()
        self.listener.close()
        for thread in self.threads:
            thread.join(FAIL_SAFE_S)
            if thread.is_alive() and kind is None:
                raise AssertionError("a connection of the client has never ended")
        if self.failures and kind is None:
            raise self.failures[0]

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            connection.settimeout(FAIL_SAFE_S)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, connection):
        with connection:
            try:
                self.answer(connection)
            except Exception as failure:
                if getattr(failure, "errno", None) not in GONE:
                    self.failures.append(failure)


# What a partner may do with a connection.


def wait_end(connection):
    """Reads, and throws away, until the client ends."""
    while connection.recv(1 << 16):
        pass


def close_at_once(connection):
    """FIN, and nothing else."""
    connection.shutdown(socket.SHUT_WR)
    wait_end(connection)


def reset_at_once(connection):
    connection.recv(1)
    clients.reset(connection)


class Run:
    """A context around a client program that does not end by itself at once."""

    def __init__(self, name, *arguments):
        self.command = server.command(name, *arguments)

    def __enter__(self):
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.stderr, bufsize=0)
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.stderr.close()

    def line(self):
        """The next line on stdout."""
        if not select.select([self.process.stdout], [], [], FAIL_SAFE_S)[0]:
            raise AssertionError(f"{self.command} says nothing")
        return self.process.stdout.readline().decode()

    def interrupt(self):
        """Ends it by a signal; returns its status and all that is left of what it says."""
        self.process.send_signal(signal.SIGINT)
        rest = self.process.stdout.read().decode()
        self.process.wait(FAIL_SAFE_S)
        self.stderr.seek(0)
        return self.process.returncode, rest, server.own_lines(self.stderr.read())

    def count_sockets(self):
        count = 0
        for descriptor in os.scandir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                count += os.readlink(descriptor.path).startswith("socket:")
        return count


class ClientProgram:
    """Tests of each client program; a class says what it is called, and flags with which it takes no time."""

    name = None
    flags = []
    flag_mistakes = ()  # flags, and what the line must say

    def check_fails(self, says, *arguments, status=1, said=""):
        """It ends with that status, and one line on stderr that has its name and the reason."""
        ended, out, line = server.run(self.name, *arguments)
        self.assertEqual(ended, status, line)
        self.assertRegex(out, f"^{said}$")
        self.assertRegex(line, rf"^\S*{self.name}: [^\n]*{says}[^\n]*\n$")

    def check_fails_with(self, answer, says, *flags, said=""):
        """The same, with such a partner."""
        with Partner(answer) as partner:
            self.check_fails(says, partner.address, *self.flags, *flags, said=said)

    def test_help(self):
        status, text, errors = server.run(self.name, "--help")
        self.assertEqual((status, errors), (0, ""))
        for word in ("usage:", self.name, " ADDRESS\n", "--threads", "--backend", "--help", *self.flags[::2]):
            self.assertIn(word, text)
        self.assertNotIn("--listen", text)

    def test_mistakes(self):
        for flags, says in (
            ([], "the ADDRESS is missing"),
            (["127.0.0.1:1", "extra"], "unexpected argument 'extra'"),
            (["127.0.0.1:1", "--listen", "127.0.0.1:0"], "unrecognized option '--listen'"),
            (["127.0.0.1:1", "--threads", "two"], "--threads takes a number from 0 to 1024, not 'two'"),
            (["nonsense"], "the ADDRESS is HOST:PORT, .*, not 'nonsense'"),
            ([""], "the ADDRESS is HOST:PORT, .*, not ''"),
            (["127.0.0.1:65536"], "the ADDRESS is HOST:PORT, .*, not '127.0.0.1:65536'"),
            *((["127.0.0.1:1", *flags], says) for flags, says in self.flag_mistakes),
        ):
            with self.subTest(flags=flags):
                self.check_fails(says, *flags, status=2)

    def test_nobody_listens(self):
        with socket.socket() as holder:  # a port that is bound refuses, and nobody else takes it
            holder.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % holder.getsockname()[1]
            self.check_fails(f"cannot connect to {address}: Connection refused", address, *self.flags)

    def test_no_such_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            address = f"unix:{folder}/missing"
            self.check_fails(f"cannot connect to {address}: No such file or ", address, *self.flags)


def end(program):
    """Ends a server well; returns what it says at its end."""
    program.wait_idle()
    program.terminate()
    program.wait_end()
    return program.process.stdout.read().decode()
