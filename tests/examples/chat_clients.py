# SPDX-License-Identifier: MIT
"""The chat's clients: the one that people type into, by pipe and on a terminal, and the one that measures."""

import contextlib
import os
import pty
import random
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import clients
import server
from chat_member import LONGEST, Member, frame
from client_program import Partner, close_at_once, reset_at_once, wait_end
from server import FAIL_SAFE_S, Server

SLOW = int(os.environ.get("FERRY_TEST_SLOW", "1"))
PATIENT = ("--max-pending", str(1 << 30))


def run(name, *arguments, said=b"", **options):
    """Runs a client to its end with that on stdin; returns its status, what it showed, in bytes, and said on stderr."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(said)
        stdin.seek(0)
        options.setdefault("stdin", stdin)
        status, shown, errors = server.run(name, *arguments, encoding="latin-1", **options)
    return status, (shown or "").encode("latin-1"), errors


@contextlib.contextmanager
def killed_in_time(pid):
    """So that reading from a program that hangs ends."""
    timer = threading.Timer(FAIL_SAFE_S, os.kill, (pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Refusals:
    """What all clients refuse, with one line that says so."""

    def check_fails(self, status, says, *arguments, **options):
        self.assertEqual(run(self.name, *arguments, **options)[::2], (status, f"{self.path()}: {says}\n"))

    def path(self):
        """As err(3) calls the program."""
        return self.name

    def test_no_address(self):
        self.check_fails(2, "the ADDRESS is missing; see --help")
        for address in ("nonsense", "127.0.0.1:", ""):
            self.check_fails(2, f"the ADDRESS is HOST:PORT, [HOST]:PORT or unix:PATH, not '{address}'", address)

    def test_nobody_listens(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % held.getsockname()[1]
            self.check_fails(1, f"cannot connect to {address}: Connection refused", address)


class Client(Refusals, unittest.TestCase):
    name = "chat_client"

    def test_pipe(self):
        """What it said comes back, all of it, and nothing is left out at the end."""
        with Server("chat", "--threads", "2") as chat:
            for said, shown in (
                (b"", b""),
                (b"a\nb\n", b"a\nb\n"),
                (b"a\n\nlast", b"a\n\nlast\n"),
                ("caf\u00e9 \u26f4\n".encode(), "caf\u00e9 \u26f4\n".encode()),
                (b"\x1b[2J\r\n", b"^[[2J^M\n"),
                (b"x" * LONGEST + b"\n", b"x" * LONGEST + b"\n"),
            ):
                self.assertEqual(run(self.name, chat.address, said=said), (0, shown, ""))

    def test_long_file(self):
        lines = b"".join(b"line %d\n" % number for number in range(100_000 // SLOW))
        with Server("chat", *PATIENT) as chat:
            status, shown, errors = run(self.name, chat.address, said=lines)
            self.assertEqual((status, errors), (0, ""))
            self.assertTrue(shown == lines)

    def test_lines_that_are_no_messages(self):
        """They are told of and left out; the others are sent, and the status says that something was amiss."""
        said = b"one\n" + b"x" * (LONGEST + 1) + b"\ntwo\nno \xff UTF-8\nthree"
        errors = "".join(
            f"{self.name}: line {line} is not sent: {why}\n"
            for line, why in ((2, "it has more than 65536 bytes"), (4, "it is not UTF-8"))
        )
        with Server("chat") as chat:
            self.assertEqual(run(self.name, chat.address, said=said), (1, b"one\ntwo\nthree\n", errors))

    def test_conversation(self):
        """Lines go out, and come in, one by one, while stdin stays open."""
        command = server.command(self.name)
        with Server("chat", "--threads", "2") as chat, Member(chat.address).enter() as other:
            with subprocess.Popen(
                [*command, chat.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            ) as client, killed_in_time(client.pid):
                for number in range(20):
                    client.stdin.write(b"from the client %d\n" % number)
                    self.assertEqual(client.stdout.readline(), b"from the client %d\n" % number)
                    self.assertEqual(other.hear(), b"from the client %d" % number)
                    other.say(b"from the other %d" % number)
                    self.assertEqual(other.hear(), b"from the other %d" % number)
                    self.assertEqual(client.stdout.readline(), b"from the other %d\n" % number)
                client.stdin.close()
                self.assertEqual(client.stdout.read(), b"")
                self.assertEqual(client.wait(FAIL_SAFE_S), 0)

    @contextlib.contextmanager
    def on_terminal(self, address, status):
        """That terminal from the outside; inside it the client runs, and at the end it has ended with that status."""
        pid, terminal = pty.fork()
        if pid == 0:
            command = server.command(self.name, address)
            try:
                os.execvp(command[0], command)
            finally:
                os._exit(127)
        with killed_in_time(pid):
            with os.fdopen(terminal, "r+b", buffering=0) as file:
                yield file
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), status)

    def test_terminal(self):
        """What is typed is echoed by the terminal, and shown once more when it was said; Ctrl-D ends."""
        with Server("chat") as chat, Member(chat.address).enter() as other:
            with self.on_terminal(chat.address, status=0) as terminal:
                terminal.write(b"typed\n")
                self.assertEqual(read_terminal(terminal, 2), [b"typed", b"typed"])
                self.assertEqual(other.hear(), b"typed")
                other.say(b"\x1b]0;title\x07", b"answer")
                self.assertEqual(read_terminal(terminal, 2), [b"^[]0;title^G", b"answer"])
                terminal.write(b"\x04")
                self.assertEqual(read_end(terminal), b"")

    def test_interrupt(self):
        """Ctrl-C ends it while it waits for a key; that is not the end of the conversation, and told so."""
        with Server("chat") as chat, self.on_terminal(chat.address, status=1) as terminal:
            terminal.write(b"typed\n")
            read_terminal(terminal, 2)
            terminal.write(b"\x03")
            self.assertIn(b"chat_client: interrupted\r\n", read_end(terminal))

    def check_ended(self, serve, says, shown=b"", said=b"", **options):
        """stdin stays open meanwhile: the client has not ended by itself."""
        stdin, held = os.pipe()
        os.write(held, said)
        try:
            with Partner(serve) as partner:
                says = f"{self.name}: {says.format(address=partner.address)}\n"
                self.assertEqual(run(self.name, partner.address, stdin=stdin, **options), (1, shown, says))
        finally:
            os.close(stdin)
            os.close(held)

    def test_ends_of_a_server(self):
        message = frame(b"shown")
        closed, within = "{address} closed the connection", "{address} ended in the middle of a message"
        no_chat = "{address} is no chat: a message of more than 65536 bytes"
        self.check_ended(lambda connection: None, closed)
        self.check_ended(lambda connection: connection.sendall(message), closed, b"shown\n")
        self.check_ended(lambda connection: connection.sendall(message + message[:2]), within, b"shown\n")
        self.check_ended(lambda connection: connection.sendall(message + message[:-1]), within, b"shown\n")
        self.check_ended(lambda connection: connection.sendall(struct.pack(">I", LONGEST + 1)), no_chat)
        self.check_ended(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n"), no_chat)
        self.check_ended(reset_at_once, "connection to {address}: reset by the peer", said=b"line\n")

    def test_stdout_full(self):
        with open("/dev/full", "wb") as full:
            self.check_ended(
                lambda connection: (connection.sendall(frame(b"x")), wait_end(connection)),
                "cannot write to stdout",
                stdout=full,
            )

    def test_server_that_does_not_read(self):
        """Then stdin is not read either, before it is all in memory; and when the server reads, nothing is missing."""
        line, limit, go = b"x" * 1000, 64 << 20, threading.Event()
        came = []

        def serve(connection):
            go.wait(FAIL_SAFE_S)
            came.append(clients.read_all(connection))

        with Partner(serve) as partner, subprocess.Popen(
            server.command(self.name, partner.address), stdin=subprocess.PIPE, bufsize=0
        ) as client, killed_in_time(client.pid):
            count = 0
            while count * len(line) < limit and select.select([], [client.stdin], [], 1.0)[1]:
                client.stdin.write(line + b"\n")
                count += 1
            go.set()
            self.assertLess(count * len(line), limit)
            client.stdin.close()
            self.assertEqual(client.wait(FAIL_SAFE_S), 0)
        self.assertTrue(came == [frame(line) * count])

    def test_pieces(self):
        """Messages come in any pieces."""
        bodies = [b"x" * random.Random("pieces").randrange(300) for _ in range(20)]

        def serve(connection):
            for byte in b"".join(map(frame, bodies)):
                connection.sendall(bytes([byte]))

        with Partner(serve) as partner:
            shown = b"".join(body + b"\n" for body in bodies)
            self.assertEqual(run(self.name, partner.address), (0, shown, ""))

    def test_stdin_is_a_folder(self):
        folder = os.open("/", os.O_RDONLY)
        with Server("chat") as chat:
            self.check_fails(1, "cannot read stdin: Is a directory", chat.address, stdin=folder)
        os.close(folder)


def read_terminal(terminal, lines):
    text = b""
    while text.count(b"\r\n") < lines:
        text += terminal.read(1)
    return text.split(b"\r\n")[:-1]


def read_end(terminal):
    """What comes until the program has closed its side of the terminal, which is EIO on this one."""
    text = b""
    with contextlib.suppress(OSError):
        while part := terminal.read(1024):
            text += part
    return text


class Load(Refusals, unittest.TestCase):
    name = "chat_load"

    def check_report(self, report, connections, messages, size=64):
        self.assertEqual(
            re.sub(r"\d+\.\d+ us", "T us", report),
            f"{connections} connections, messages of {size} bytes; from sending one until that delivery:\n"
            + "".join(
                f"{name:6}  {messages} in all, p50 T us, p99 T us, p99.9 T us, max T us\n"
                for name in ("first", "median", "last")
            ),
        )
        times = [[float(time) for time in re.findall(r"(\d+\.\d+) us", line)] for line in report.splitlines()[1:]]
        for first, median, last in zip(*times):
            self.assertTrue(0 < first <= median <= last, report)

    def check_runs(self, chat, connections, messages, *flags, **options):
        command = ("--connections", str(connections), "--messages", str(messages), *flags)
        status, report, errors = server.run(self.name, chat.address, *command)
        self.assertEqual((status, errors), (0, ""))
        self.check_report(report, connections, messages, **options)

    def test_report(self):
        with Server("chat", "--threads", "2") as chat:
            self.check_runs(chat, 1, 1)
            self.check_runs(chat, 1, 100, "--size", "32", size=32)
            self.check_runs(chat, 2, 3, "--threads", "4")
            self.check_runs(chat, 100, 20, "--threads", "2", "--size", "65536", size=65536)

    def test_seen_by_another(self):
        """Each message is said once, in order, framed as an independent codec expects; a stranger's does no harm."""
        with Server("chat", "--threads", "2") as chat, Member(chat.address).enter() as other:
            other.say(b"a stranger", b"")
            self.check_runs(chat, 20, 10)
            other.say(b"end")
            bodies = [body for body in other.hear_until(b"end") if body.startswith(b"0") and len(body) == 64]
            numbers = [int(body[:10]) for body in bodies]
            self.assertEqual([number for number in numbers if number > 0], list(range(1, 11)))
            self.assertEqual(len({body[10:] for body in bodies}), 1)

    def test_ten_thousand(self):
        """As many as there are descriptors for, if that is less. A coroutine costs ThreadSanitizer a megabyte."""
        count = min(10_000 // SLOW**2, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200)
        with Server("chat", "--threads", "2") as chat:
            self.check_runs(chat, count, 3, "--threads", "2")

    def test_too_few_descriptors(self):
        for count, limit in ((1000, 1000), (1, 64)):
            says = f"{count} connections need {count + 72} descriptors, and {limit} are allowed; see ulimit -n"
            self.check_fails(
                1, says, "127.0.0.1:1", "--connections", str(count), prefix=["prlimit", f"--nofile={limit}:{limit}"]
            )

    def test_raises_the_soft_limit(self):
        with Server("chat") as chat:
            command = (chat.address, "--connections", "100", "--messages", "1")
            status, report, errors = server.run(self.name, *command, prefix=["prlimit", "--nofile=64:1000"])
            self.assertEqual((status, errors), (0, ""))
            self.check_report(report, 100, 1)

    def check_ended(self, serve, says, *flags):
        with Partner(serve) as partner:
            says = says.format(address=partner.address)
            self.check_fails(1, says, partner.address, "--connections", "1", *flags)

    def test_ends_of_a_server(self):
        self.check_ended(close_at_once, "{address} closed a connection")
        self.check_ended(reset_at_once, "connection to {address}: reset by the peer")
        self.check_ended(
            lambda connection: (connection.sendall(b"HTTP/1.1 400 Bad Request\r\n"), wait_end(connection)),
            "{address} is no chat: a message of more than 65536 bytes",
        )

    def test_server_that_says_nothing(self):
        self.check_ended(
            wait_end,
            "nothing came for 1 s: of 1 connections 1 are open, 0 in the room; 0 have message 0",
            "--patience",
            "1",
        )

    def test_server_that_says_all_twice(self):
        def serve(connection):
            while message := connection.recv(68, socket.MSG_WAITALL):
                connection.sendall(message * 2)

        self.check_ended(serve, "one got message 1 when it was to get 2")

    def test_interrupt(self):
        """No report of what is not complete."""
        with Server("chat") as chat:
            command = server.command(self.name, chat.address, "--connections", "3", "--messages", "1000000000")
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as load:
                chat.wait_busy(connections=3)
                load.send_signal(signal.SIGINT)
                shown, errors = load.communicate(timeout=FAIL_SAFE_S)
                self.assertEqual((load.returncode, shown), (1, ""))
                self.assertEqual(server.own_lines(errors), "chat_load: interrupted\n")

    def test_stdout_full(self):
        with open("/dev/full", "w") as full, Server("chat") as chat:
            status, _, errors = server.run(self.name, chat.address, "--connections", "3", stdout=full)
            self.assertEqual((status, errors), (1, "chat_load: cannot write to stdout: No space left on device\n"))
