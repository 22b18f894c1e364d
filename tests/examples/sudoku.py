# SPDX-License-Identifier: MIT
"""The sudoku server, which solves on its loops or by workers: the same tests, but for the order of the answers."""

import os
import re
import select
import signal
import socket
import threading

import clients
import server
from example import Everywhere, Example

MIB = 1 << 20
SLOW = int(os.environ.get("FERRY_TEST_SLOW", "1"))
PUZZLES = {  # with their only solution
    "000000010400000000020000000000050407008000300001090000300400200050100000000806000": (
        "693784512487512936125963874932651487568247391741398625319475268856129743274836159"
    ),
    "800000000003600000070090200050007000000045700000100030001000068008500010090000400": (
        "812753649943682175675491283154237896369845721287169534521974368438526917796318452"
    ),
    "005300000800000020070010500400005300010070006003200080060500009004000030000009700": (
        "145327698839654127672918543496185372218473956753296481367542819984761235521839764"
    ),
    "110000000000000000000000000000000000000000000000000000000000000000000000000000000": "NoSolution",
    "x00000010400000000020000000000050407008000300001090000300400200050100000000806000": "NoSolution",
}
PUZZLE, SOLUTION = next(iter(PUZZLES.items()))
# It takes a while to find that there is no solution.
LONG_ONE = "000005080000601043000000000010500000000106000300000005530000061000000004000000000"
LONG_TIME = max(400 // SLOW**2, 10)  # so many of them: a third of a second for a worker, anywhere

BAD = b"Bad Request!\r\n"
TOO_LONG = b"Id too long!\r\n"
BAD_LINES = (
    b"",
    b":",
    b"hello",
    b"a:",
    PUZZLE[1:].encode(),
    PUZZLE.encode() + b"0",
    b"a:b:" + PUZZLE.encode(),
    b"a" + PUZZLE.encode(),
    PUZZLE.encode() + b"\r",
    PUZZLE.encode() + b"\n" + PUZZLE.encode(),
    bytes(81) + b"0",
    b"x" * 150,
)


def request(puzzle, number=None):
    return f"{'' if number is None else f'{number}:'}{puzzle}\r\n".encode()


def many_requests(count):
    """As many requests, with numbers for ids, and their answers."""
    puzzles = [list(PUZZLES.items())[number % len(PUZZLES)] for number in range(count)]
    requests = [request(puzzle, number) for number, (puzzle, _) in enumerate(puzzles)]
    answers = [request(solution, number) for number, (_, solution) in enumerate(puzzles)]
    return requests, answers


class Sending:
    """A context: inside it a thread sends, and half-closes."""

    def __init__(self, client, data):
        self.thread = threading.Thread(target=self._send, args=(client, data))

    def _send(self, client, data):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.thread.join()


class Sudoku(Everywhere, Example):
    """On the loop: the answers come in the order of the requests."""

    name = "sudoku"
    ordered = True

    def session(self, address):
        with clients.connect(address) as client:
            for number, (puzzle, solution) in enumerate(PUZZLES.items()):
                for line, answer in (
                    (request(puzzle), request(solution)),
                    (request(puzzle, number), request(solution, number)),
                    (request(puzzle, ""), request(solution)),
                ):
                    client.sendall(line)
                    self.assertEqual(clients.read_exactly(client, len(answer)), answer)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client), b"")

    def assert_answers(self, found, expected, last=b""):
        """The expected answers, in their order if there is one; and what is said last, behind all of them."""
        self.assertEqual(found[len(found) - len(last) :], last)
        lines = found[: len(found) - len(last)].splitlines(keepends=True)
        if not self.ordered:
            lines, expected = sorted(lines), sorted(expected)
        for line, answer in zip(lines, expected):
            self.assertEqual(line, answer)
        self.assertEqual(len(lines), len(expected))

    def stats(self, program):
        """What the second port tells, by name."""
        text = clients.ask(program.second_address).decode()
        return dict(re.findall(r"^([^:\n]+): (.*)\n", text, re.MULTILINE))

    def start_with_stats(self, *flags):
        return WithStats(self.start("--stats", "127.0.0.1:0", *flags))

    def test_pipelining(self):
        requests, answers = many_requests(5000 // SLOW)
        with self.start() as program, clients.connect(program.address) as client:
            with Sending(client, b"".join(requests)):
                self.assert_answers(clients.read_all(client), answers)

    def test_many_pipelining_clients(self):
        requests, answers = many_requests(1000 // SLOW)
        with self.start("--threads", "2") as program:
            everybody = [clients.connect(program.address) for _ in range(8)]
            for client in everybody:
                client.sendall(b"".join(requests))
                client.shutdown(socket.SHUT_WR)
            for client in everybody:
                with client:
                    self.assert_answers(clients.read_all(client), answers)

    def test_byte_at_a_time(self):
        requests, answers = many_requests(10)
        with self.start() as program, clients.connect(program.address) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"".join(requests):
                client.sendall(bytes([byte]))
            client.shutdown(socket.SHUT_WR)
            self.assert_answers(clients.read_all(client, step=1), answers)

    def test_split_everywhere(self):
        """Two requests in two pieces, the second sent when all answers to the first have come."""
        text, answer = request(PUZZLE, "a"), request(SOLUTION, "a")
        with self.start() as program, clients.connect(program.address) as client:
            for cut in range(1, len(text)):
                client.sendall(text + text[:cut])
                self.assertEqual(clients.read_exactly(client, len(answer)), answer)
                client.sendall(text[cut:])
                self.assertEqual(clients.read_exactly(client, len(answer)), answer)

    def test_lines_that_are_no_requests(self):
        """All that came before is answered, nothing that came after; then FIN, and no reset for what is still sent."""
        requests, answers = many_requests(50)
        with self.start() as program:
            for line in BAD_LINES:
                with self.subTest(line=line), clients.connect(program.address) as client:
                    client.sendall(b"".join(requests) + line + b"\r\n" + request(PUZZLE, "late"))
                    self.assert_answers(clients.read_all(client), answers, BAD)
                    client.sendall(b"".join(requests))
                    client.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.recv(1), b"")

    def test_lines_that_are_too_long(self):
        requests, answers = many_requests(50)
        with self.start() as program:
            for size in (101, 200, 5000, 200_000):
                with self.subTest(size=size), clients.connect(program.address) as client:
                    client.sendall(b"".join(requests) + b"1" * size)
                    self.assert_answers(clients.read_all(client), answers, TOO_LONG)

    def test_longest_lines(self):
        """100 bytes are never too long; more are no matter when their end has come with them."""
        longest = "i" * 18
        with self.start() as program, clients.connect(program.address) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request(PUZZLE, longest):
                client.sendall(bytes([byte]))
            self.assertEqual(clients.read_exactly(client, 102), request(SOLUTION, longest))
            client.sendall(request(PUZZLE, longest * 5))
            self.assertEqual(clients.read_exactly(client, 174), request(SOLUTION, longest * 5))
            client.sendall(b"1" * 100)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(clients.read_all(client), b"")

    def test_half_close(self):
        """Everything is answered before FIN; half a line at the end is no request."""
        requests, answers = many_requests(500)
        with self.start("--in-flight", "3") as program:
            self.assertEqual(clients.ask(program.address), b"")
            self.assertEqual(clients.ask(program.address, b"half a line"), b"")
            self.assert_answers(clients.ask(program.address, b"".join(requests)), answers)
            self.assert_answers(clients.ask(program.address, b"".join(requests) + requests[0][:-1]), answers)

    def test_client_that_never_reads(self):
        """It is held back before it can fill our memory; and when it reads after all, nothing is missing.

        A full board is its own solution."""
        limit = 64 * MIB
        with self.start() as program, clients.connect(program.address, receive_buffer=32 << 10) as client:
            sent = send_until_blocked(client, limit)
            self.assertLess(len(sent), limit, "the server goes on reading for a client that does not")
            if SLOW == 1:
                self.assertLess(program.peak_memory(), 32 * MIB)
            client.shutdown(socket.SHUT_WR)
            lines = sent[: sent.rindex(b"\n") + 1].splitlines(keepends=True)
            found = clients.read_all(client).splitlines(keepends=True)
        same = (found if self.ordered else sorted(found)) == lines
        self.assertTrue(same, f"{len(found)} and {len(lines)} lines differ")

    def test_reset_in_the_middle(self):
        requests, _ = many_requests(500)
        with self.start_with_stats("--threads", "2") as program:
            for _ in range(8):
                client = clients.connect(program.address)
                client.sendall(b"".join(requests))
                clients.reset(client)
            program.wait_idle()
            server.wait_until(lambda: self.stats(program)["in flight"] == "0", "nothing is left in flight")
            self.session(program.address)

    def test_killed_client(self):
        with self.start() as program:
            clients.kill_client(program)
            program.wait_idle()
            self.session(program.address)

    def test_others_come_first(self):
        """After so many requests of one client in a turn. Both stand at the door when the server wakes up."""
        with self.start_with_stats("--in-flight", "1") as program, clients.connect(program.address) as client:
            client.sendall(request(PUZZLE))
            clients.read_exactly(client, len(request(SOLUTION)))
            program.stop()
            client.sendall(request(PUZZLE) * 90)
            with clients.connect(program.second_address) as other:
                program.process.send_signal(signal.SIGCONT)
                report = clients.read_all(other).decode()
            self.assertLess(int(re.search(r"^requests: (\d+)$", report, re.MULTILINE)[1]), 91)
            clients.read_exactly(client, 90 * len(request(SOLUTION)))

    def test_statistics(self):
        requests, answers = many_requests(20)
        with self.start_with_stats() as program:
            self.assertEqual(self.stats(program)["requests"], "0")
            self.assert_answers(clients.ask(program.address, b"".join(requests) + b"bad\r\n"), answers, BAD)
            self.assertEqual(clients.ask(program.address, b"1" * 101), TOO_LONG)
            found = self.stats(program)
            latency = found.pop("latency")
            counters = {"requests": "20", "bad requests": "2", "abandoned": "0", "in flight": "0", "queued": "0"}
            self.assertEqual(found, counters)
            number = r"\d+\.\d us"
            self.assertRegex(latency, rf"^20 in all, p50 {number}, p99 {number}, p99.9 {number}, max {number}$")
            self.assertIn(b"requests: 20\n", clients.nc(program.second_address))

    def test_mistakes(self):
        with self.start() as program:
            for flags, status, says in (
                (["--workers", "many"], 2, "--workers takes a number from 0 to 1024, not 'many'"),
                (["--in-flight", "0"], 2, "--in-flight takes a number from 1 to 1048576, not '0'"),
                (["--stats", "nowhere"], 2, "--stats takes an address, not 'nowhere'"),
                (["--stats", program.address], 1, f"cannot listen on {program.address}: Address already in use"),
            ):
                with self.subTest(flags=flags):
                    found, said, line = server.run(self.name, "--listen", "127.0.0.1:0", *flags)
                    self.assertEqual((found, said), (status, ""))
                    self.assertRegex(line, rf"^\S*sudoku: {re.escape(says)}[^\n]*\n$")


class SudokuWorkers(Sudoku):
    """By workers: the answers come in any order."""

    ordered = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.arguments = ["--workers", "3"]

    def test_in_flight_is_bounded(self):
        """However much two clients ask, no more is seen at the workers at any time. Who looks when all is done has seen
        nothing, and has them ask again."""
        seen = []
        with self.start_with_stats("--in-flight", "4") as program:

            def some_in_flight():
                seen.extend(self.look_at_floods(program, answered_before=int(self.stats(program)["requests"])))
                return any(found["in flight"] != "0" for found in seen)

            server.wait_until(some_in_flight, "some are seen in flight")
        most = max(int(found["in flight"]) for found in seen)
        self.assertLessEqual(most, 8)
        # What is queued is looked at first: some of it may no longer be in flight when that is.
        self.assertLessEqual(max(int(found["queued"]) for found in seen), 8)

    def look_at_floods(self, program, answered_before):
        """What was seen of two clients that ask much, until all was answered."""
        flood = request(LONG_ONE) * LONG_TIME
        both = [clients.connect(program.address) for _ in range(2)]
        for client in both:
            client.sendall(flood)
            client.shutdown(socket.SHUT_WR)
        seen = []

        def all_answered():
            seen.append(self.stats(program))
            return seen[-1]["latency"].split()[0] == str(answered_before + 2 * LONG_TIME)

        server.wait_until(all_answered, "all is answered")
        for client in both:
            with client:
                self.assertTrue(clients.read_all(client) == request("NoSolution") * LONG_TIME)
        return seen

    def test_one_in_flight(self):
        """A worker makes room all the time, also between the moment when it is missed and the pause for it."""
        requests, answers = many_requests(5000 // SLOW)
        with self.start("--in-flight", "1") as program, clients.connect(program.address) as client:
            with Sending(client, b"".join(requests)):
                self.assert_answers(clients.read_all(client), answers)

    def test_nothing_counts_behind_a_bad_line(self):
        """Also what comes while the answers to what was before it are still in work."""
        count = LONG_TIME
        with self.start_with_stats("--in-flight", str(count)) as program, clients.connect(program.address) as client:
            client.sendall(request(LONG_ONE) * count + b"bad\r\n")
            server.wait_until(lambda: self.stats(program)["bad requests"] == "1", "the bad line is seen")
            client.sendall(request(PUZZLE))
            self.assertTrue(clients.read_all(client) == request("NoSolution") * count + BAD)

    def test_stops_behind_the_last_answer(self):
        """What the workers have when the signal comes is answered before the connection is closed. That it is answered within
        the time of grace, also on a busy machine, is for the test to see to."""
        count = LONG_TIME // 4
        with self.start_with_stats("--in-flight", str(count)) as program, clients.connect(program.address) as client:
            client.sendall(request(LONG_ONE) * count)
            server.wait_until(lambda: self.stats(program)["requests"] == str(count), "all are with the workers")
            program.terminate()
            self.assertTrue(clients.read_all(client) == request("NoSolution") * count)
            program.wait_end()

    def test_gone_clients_are_not_worked_for(self):
        """Of what they have asked only the little is solved that was before they were seen to have gone. If that was all,
        because we were slow to go, another asks."""
        count = 5 * LONG_TIME
        flags = ("--workers", "1", "--in-flight", str(count), "--stats", "127.0.0.1:0")
        with WithStats(server.Server(self.name, *flags)) as program:

            def some_abandoned():
                self.ask_and_go(program, count)
                return self.stats(program)["abandoned"] != "0"

            server.wait_until(some_abandoned, "some are abandoned")

    def ask_and_go(self, program, count):
        client = clients.connect(program.address)
        before = int(self.stats(program)["requests"])
        client.sendall(request(LONG_ONE) * count)
        server.wait_until(lambda: self.stats(program)["requests"] == str(before + count), "all are with the worker")
        clients.reset(client)
        program.wait_idle()
        server.wait_until(lambda: self.stats(program)["in flight"] == "0", "nothing is left in flight")


class WithStats:
    """A context: a server that says its second address, behind the first."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.program.__enter__()
        line = self.program.process.stdout.readline().decode()
        self.program.second_address = line.removeprefix("statistics on ").rstrip("\n")
        return self.program

    def __exit__(self, *error):
        return self.program.__exit__(*error)


def send_until_blocked(client, limit):
    """Sends full boards until nothing is taken for a while, or so much that it will not be blocked; returns it all."""
    line = len(request(SOLUTION, "1234567"))
    text = b"".join(request(SOLUTION, f"{number:07}") for number in range(limit // line + 1))
    size = 0
    client.setblocking(False)
    while size < limit and select.select([], [client], [], 1.0)[1]:
        size += client.send(text[size : size + MIB // 4])
    client.setblocking(True)
    return text[:size]
