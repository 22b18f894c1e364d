# SPDX-License-Identifier: MIT
"""The relay: two connections that are one, from the client's end and from the target's."""

import contextlib
import errno
import hashlib
import os
import random
import re
import select
import socket
import threading

import clients
import server
from example import Everywhere, Example
from server import FAIL_SAFE_S, Server

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
SLOW = int(os.environ.get("FERRY_TEST_SLOW", "1"))
BLOCK = random.Random("relay").randbytes(MIB)
# More than all the kernel's buffers and the relay's between two ends that do not read.
ENDLESS = 256 * MIB
# What the program may have resident, whatever goes through it.
FLAT = 16 * MIB


def scaled(mebibytes):
    """So many bytes, or a part of them in an instrumented build: whole MiB, two at least."""
    return max(2, mebibytes // SLOW) * MIB


def send_digest(end, size):
    """Sends so much, then FIN, no two MiB of it alike; returns its digest."""
    digest = hashlib.sha256()
    for number in range(size // MIB):
        data = number.to_bytes(8, "big") + BLOCK[8:]
        digest.update(data)
        end.sendall(data)
    end.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def read_digest(end):
    """Reads to FIN; returns the digest of it, and how much it was."""
    digest, size = hashlib.sha256(), 0
    while part := end.recv(256 * KIB):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


class Task(threading.Thread):
    """Something done meanwhile; result() is what came of it, or raises what it raised."""

    def __init__(self, do, *arguments):
        super().__init__(daemon=True)
        self.do, self.arguments, self.raised, self.returned = do, arguments, None, None
        self.start()

    def run(self):
        try:
            self.returned = self.do(*self.arguments)
        except BaseException as error:  # for the thread that asks
            self.raised = error

    def result(self):
        self.join(4 * FAIL_SAFE_S)
        if self.is_alive():
            raise AssertionError(f"never ended: {self.do.__name__}")
        if self.raised:
            raise self.raised
        return self.returned


def fill(end, pause=1.0):
    """Sends until no more is taken, which must happen; returns the digest of what was taken, to be added to."""
    digest = hashlib.sha256()
    size = 0
    end.setblocking(False)
    # The relay goes on for a while after our own buffer is full: a pause without any room is taken for the end.
    while select.select([], [end], [], pause)[1]:
        taken = end.send(BLOCK[: 256 * KIB])
        digest.update(BLOCK[:taken])
        size += taken
        if size > ENDLESS:
            raise AssertionError("the sender is not held back")
    end.settimeout(FAIL_SAFE_S)
    return digest


def wait_reset(end):
    """Waits for a reset, without reading."""
    clients.wait_cut(end)
    error = end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error not in (errno.ECONNRESET, errno.EPIPE):
        raise AssertionError(f"not reset, but error {error}")


class RelayCase(Example):
    """A relay, and both of its ends."""

    name = "relay"
    flags = ()

    def setUp(self):
        self.target = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        self.target_address = "%s:%d" % self.target.getsockname()

    def listen(self, family, address):
        listener = socket.socket(family)
        self.addCleanup(listener.close)
        listener.settimeout(FAIL_SAFE_S)
        listener.bind(address)
        listener.listen(1000)
        return listener

    def start(self, *flags, target=None, **options):
        return Server(self.name, *self.flags, *flags, target or self.target_address, **options)

    def accept(self, token, listener=None):
        """The target's end of the connection that begins with the token; those of clients that left come before."""
        while True:
            end, _ = (listener or self.target).accept()
            end.settimeout(FAIL_SAFE_S)
            with contextlib.suppress(AssertionError, ConnectionResetError):
                if clients.read_exactly(end, len(token)) == token:
                    return end
            end.close()

    @contextlib.contextmanager
    def pair(self, address, listener=None):
        """Both ends of one connection through the relay."""
        token = os.urandom(8)
        with clients.connect(address) as client:
            client.sendall(token)
            with self.accept(token, listener) as end:
                yield client, end

    def each_way(self, address):
        """A pair for each direction: (from, to)."""
        with self.subTest("from the client"), self.pair(address) as (client, end):
            yield client, end
        with self.subTest("from the target"), self.pair(address) as (client, end):
            yield end, client

    def check_much(self, one, other, size):
        sender = Task(send_digest, one, size)
        self.assertEqual(read_digest(other), (sender.result(), size))


class Relay(Everywhere, RelayCase):
    """The kernel moves the bytes."""

    def check_half(self, one, other, data):
        """Data and an end, in one direction."""
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        self.assertEqual(clients.read_all(other), data)

    def check_both(self, one, other):
        """A little in each direction, and the end of both."""
        one.sendall(b"question")
        self.assertEqual(clients.read_exactly(other, 8), b"question")
        self.check_half(other, one, b"answer")
        self.check_half(one, other, b"thanks")

    def session(self, address):
        for one, other in self.each_way(address):
            self.check_both(one, other)

    def test_target_on_ipv6(self):
        listener = self.listen(socket.AF_INET6, ("::1", 0))
        self.check_target(listener, f"[::1]:{listener.getsockname()[1]}")

    def test_target_by_name(self):
        self.check_target(self.target, f"localhost:{self.target.getsockname()[1]}")

    def test_target_on_a_unix_socket(self):
        path = os.path.join(self.folder, "target")
        self.check_target(self.listen(socket.AF_UNIX, path), f"unix:{path}")
        name = f"ferry-test-relay-target-{os.getpid()}"
        self.check_target(self.listen(socket.AF_UNIX, f"\0{name}"), f"unix:@{name}")

    def check_target(self, listener, address):
        with self.start(target=address) as program, self.pair(program.address, listener) as (client, end):
            self.check_both(client, end)

    # Much.

    def test_one_way(self):
        with self.start() as program:
            for one, other in self.each_way(program.address):
                self.check_much(one, other, scaled(64))
                one.close()

    def test_both_ways_at_once(self):
        size = scaled(64)
        with self.start() as program, self.pair(program.address) as (client, end):
            back = Task(self.check_much, end, client, size)
            self.check_much(client, end, size)
            back.result()

    def test_many_at_once(self):
        def session(address, number):
            with clients.connect(address) as client:
                sent = Task(send_digest, client, MIB)
                digest, size = read_digest(client)
                self.assertEqual((digest, size), (sent.result(), MIB), f"client {number}")

        def echo(end):
            with end:
                while part := end.recv(64 * KIB):
                    end.sendall(part)
                end.shutdown(socket.SHUT_WR)

        with self.start("--threads", "2") as program:
            many = [Task(session, program.address, number) for number in range(max(2, 64 // SLOW))]
            echoes = []
            for _ in many:
                end, _ = self.target.accept()
                end.settimeout(FAIL_SAFE_S)
                echoes.append(Task(echo, end))
            for task in many + echoes:
                task.result()

    def test_pipelined_small_messages(self):
        messages = [b"%d\n" % number for number in range(20_000 // SLOW)]

        def send_each(end):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for message in messages:
                end.sendall(message)
            end.shutdown(socket.SHUT_WR)

        with self.start() as program, self.pair(program.address) as (client, end):
            senders = [Task(send_each, client), Task(send_each, end)]
            back = Task(clients.read_all, client)
            self.assertEqual(clients.read_all(end), b"".join(messages))
            self.assertEqual(back.result(), b"".join(messages))
            for sender in senders:
                sender.result()

    def test_slow_receiver(self):
        """It is the sender who waits: nothing grows, and nothing is missing when the receiver reads after all."""
        with self.start() as program:
            for one, other in self.each_way(program.address):
                digest = fill(one)
                if "FERRY_TEST_SLOW" not in os.environ:
                    self.assertLess(program.peak_memory(), FLAT)
                one.shutdown(socket.SHUT_WR)
                self.assertEqual(read_digest(other)[0], digest.hexdigest())

    # Half-closes.

    def test_half_close_while_the_other_way_goes_on(self):
        """Whoever ends first still gets all of what the other sends, which has begun before and goes on for long."""
        size = scaled(16)
        with self.start() as program:
            for one, other in self.each_way(program.address):
                sender = Task(send_digest, other, size)
                clients.read_exactly(one, MIB)
                self.check_half(one, other, b"no more")
                self.assertEqual(read_digest(one)[1], size - MIB)
                sender.result()

    def test_half_close_then_the_other_way_begins(self):
        with self.start() as program:
            for one, other in self.each_way(program.address):
                self.check_half(one, other, b"question")
                self.check_much(other, one, 4 * MIB)

    def test_half_close_with_bytes_pending(self):
        with self.start() as program:
            for one, other in self.each_way(program.address):
                digest = fill(one)
                one.shutdown(socket.SHUT_WR)
                self.check_half(other, one, b"heard")
                self.assertEqual(read_digest(other)[0], digest.hexdigest())

    # Resets.

    def check_reset(self, prepare):
        """After prepare(one, other), a reset of one is a reset for the other, whoever is the client; at once, since
        nobody reads or sends any more."""
        with self.start() as program:
            for one, other in self.each_way(program.address):
                prepare(one, other)
                clients.reset(one)
                wait_reset(other)

    def test_reset(self):
        self.check_reset(lambda one, other: self.assertEqual(other.send(b"unread"), 6))

    def test_reset_after_data(self):
        self.check_reset(lambda one, other: one.sendall(bytes(100_000)))

    def test_reset_after_own_half_close(self):
        self.check_reset(lambda one, other: self.check_half(one, other, b"done"))

    def test_reset_after_the_others_half_close(self):
        self.check_reset(lambda one, other: self.check_half(other, one, b"done"))

    def test_reset_with_bytes_pending(self):
        """Those that the other does not read."""
        self.check_reset(lambda one, other: fill(one))

    def test_reset_with_bytes_pending_for_it(self):
        """Those that it does not read itself."""
        self.check_reset(lambda one, other: fill(other))

    def test_reset_with_bytes_pending_both_ways(self):
        self.check_reset(lambda one, other: (fill(one), fill(other)))

    def test_reset_with_bytes_pending_after_own_half_close(self):
        def prepare(one, other):
            self.check_half(one, other, b"done")
            fill(other)

        self.check_reset(prepare)

    def test_close_with_unread_input(self):
        """Which resets, without being asked to."""
        with self.start() as program:
            for one, other in self.each_way(program.address):
                other.sendall(b"unread")
                select.select([one], [], [], FAIL_SAFE_S)
                one.close()
                wait_reset(other)

    # A target that is not there, or not yet.

    def check_unreachable(self, target, reason):
        says = rf"\S*relay: cannot reach {re.escape(target)}: {reason}\n"
        with self.subTest(target), self.start(target=target, says=says) as program:
            # It may come so soon that connecting or sending tells of it.
            with contextlib.suppress(ConnectionResetError, BrokenPipeError), clients.connect(program.address) as client:
                client.sendall(b"unheard")
                wait_reset(client)

    def test_unreachable(self):
        """The client is reset, and one line says why."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.check_unreachable("127.0.0.1:%d" % bound.getsockname()[1], "Connection refused")
        self.check_unreachable("255.255.255.255:80", "Network is unreachable")
        self.check_unreachable("no-such-name.invalid:80", "No such file or name")
        self.check_unreachable(f"unix:{self.folder}/missing", "No such file or name")

    def busy_target(self):
        """A listener that takes no connection before it has accepted the one that fills its backlog."""
        listener = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        listener.listen(0)
        first = socket.create_connection(listener.getsockname())
        self.addCleanup(first.close)
        return listener, "%s:%d" % listener.getsockname()

    def test_sends_before_the_target_is_there(self):
        """As much as it likes: it is held back, and nothing is lost. There is no long pause to see that no more is taken:
        the relay tries to connect once more after a second, again two seconds later, and then gives up."""
        listener, address = self.busy_target()
        with self.start(target=address) as program, clients.connect(program.address) as client:
            digest = fill(client, pause=0.1)
            client.shutdown(socket.SHUT_WR)
            listener.accept()[0].close()
            end, _ = listener.accept()
            with end:
                end.settimeout(FAIL_SAFE_S)
                self.assertEqual(read_digest(end)[0], digest.hexdigest())

    def test_reset_before_the_target_is_there(self):
        listener, address = self.busy_target()
        with self.start(target=address) as program:
            client = clients.connect(program.address)
            client.sendall(b"unheard")
            program.wait_busy(connections=2)
            clients.reset(client)
            listener.accept()[0].close()
            end, _ = listener.accept()
            with end:
                wait_reset(end)

    # In company.

    def test_chain(self):
        with self.start() as last, self.start(target=last.address) as first:
            self.session(first.address)
            for one, other in self.each_way(first.address):
                self.check_much(one, other, scaled(8))
                other.shutdown(socket.SHUT_WR)
            for one, other in self.each_way(first.address):
                fill(one)
                clients.reset(one)
                wait_reset(other)

    def answer(self):
        """Takes one connection and all that comes on it, and answers with the length of it."""
        end, _ = self.target.accept()
        with end:
            end.settimeout(FAIL_SAFE_S)
            end.sendall(b"%d bytes\n" % len(clients.read_all(end)))

    def test_standard_clients(self):
        with self.start() as program:
            for ask in (lambda: clients.nc(program.address, "-N", request=b"text\n"),
                        lambda: clients.socat(program.address, request=b"text\n")):
                answering = Task(self.answer)
                self.assertEqual(ask(), b"5 bytes\n")
                answering.result()

    def test_web(self):
        """curl, and the page of a relayed server."""
        with self.start() as program:
            serving = Task(self.serve_page)
            self.assertEqual(clients.run_client("curl", "-sS", f"http://{program.address}/"), b"page")
            serving.result()

    def serve_page(self):
        end, _ = self.target.accept()
        with end:
            end.settimeout(FAIL_SAFE_S)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += end.recv(64 * KIB)
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage")

    # The command line, and the end.

    def check_refused(self, says, *arguments):
        status, said, line = server.run(self.name, *arguments)
        self.assertEqual((status, said), (2, ""), line)
        self.assertRegex(line, rf"^\S*relay: {re.escape(says)}\n$")

    def test_command_line(self):
        self.check_refused("the TARGET is missing; see --help")
        self.check_refused("unexpected argument 'x'; see --help", "127.0.0.1:1", "x")
        self.check_refused("--by takes splice or copy, not 'hand'", "--by", "hand", "127.0.0.1:1")
        for target in ("", "nonsense", "127.0.0.1:", "127.0.0.1:65536", "unix:"):
            self.check_refused(f"the TARGET must be an address, not '{target}'; see --help", target)


    def test_stops_at_once(self):
        """As the others; but a client that is there needs a target to be there, too, or that is complained of."""
        with self.start() as program:
            if "FERRY_TEST_SLOW" in os.environ:
                self.session(program.address)
                program.wait_idle()
            program.terminate()
            program.wait_end()

    def test_stop_lets_it_finish(self):
        """What is on its way when the signal comes gets there, both ways, and so do its ends; it is little enough for the
        grace time of a slow machine."""
        size = scaled(4)
        with self.start() as program, self.pair(program.address) as (client, end):
            senders = [Task(send_digest, client, size), Task(send_digest, end, size)]
            clients.read_exactly(client, 8)
            clients.read_exactly(end, 8)
            program.terminate()
            back = Task(read_digest, client)
            self.assertEqual(read_digest(end)[1], size - 8)
            self.assertEqual(back.result()[1], size - 8)
            for sender in senders:
                sender.result()
            program.wait_end()

    def test_stop_resets_what_does_not_finish(self):
        """An end that nobody has sent must not look like one."""
        with self.start() as program, self.pair(program.address) as (client, end):
            self.assertEqual((client.send(b"part"), end.send(b"part")), (4, 4))
            clients.read_exactly(client, 4)
            clients.read_exactly(end, 4)
            program.terminate()
            program.terminate()
            wait_reset(client)
            wait_reset(end)
            program.wait_end()


class RelayByCopy(Relay):
    """The program copies them."""

    flags = ("--by", "copy")


class RelayBig(RelayCase):
    """1 GiB each way, one way after the other."""

    def test_a_gibibyte(self):
        for way in ("splice", "copy"):
            with self.start("--by", way) as program:
                for one, other in self.each_way(program.address):
                    self.check_much(one, other, GIB)
                    one.close()
                peak = program.peak_memory()
            print(f"--by {way}: {peak / MIB:.1f} MiB resident at most")
            self.assertLess(peak, FLAT)
