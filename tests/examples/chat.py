# SPDX-License-Identifier: MIT
"""The chat: what one says, all hear, whole and in order; who spoils it has to go, and harms nobody else."""

import os
import random
import struct
import threading

import server
from chat_member import LONGEST, Member, close_all, enter_all, frame
from example import Everywhere, Example
from relay import Task

MIB = 1 << 20
SLOW = int(os.environ.get("FERRY_TEST_SLOW", "1"))
# For tests in which nobody is slow but by the machine's load.
PATIENT = ("--max-pending", str(1 << 30))
BODIES = (b"hello", b"", "caf\u00e9 \u26f4".encode(), b"\xff\x00\x80 not UTF-8", bytes(range(256)) * 40)


def read_log(program):
    """What it has said on stderr so far; its own position in that file is left alone."""
    return os.pread(program.stderr.fileno(), 1 << 16, 0).decode()


class Chat(Everywhere, Example):
    name = "chat"

    def session(self, address):
        with Member(address) as member:
            member.say(*BODIES)
            self.assertEqual([member.hear() for _ in BODIES], list(BODIES))
            member.end()
            self.assertIsNone(member.hear())

    def test_all_hear_all(self):
        with self.start("--threads", "3") as program:
            members = enter_all(program.address, 12)
            for speaker in members:
                speaker.say(*BODIES)
                for member in members:
                    self.assertEqual([member.hear() for _ in BODIES], list(BODIES))
            close_all(members)

    def test_longest_message(self):
        body = random.Random("longest").randbytes(LONGEST)
        with self.start("--threads", "2") as program:
            members = enter_all(program.address, 3)
            members[0].say(body, b"next")
            for member in members:
                self.assertTrue(member.hear() == body)
                self.assertEqual(member.hear(), b"next")
            close_all(members)

    def test_split_at_every_byte(self):
        """The other's word goes to and fro in between, so that the server has read the first part by then."""
        message = frame(b"one") + frame(b"") + frame(b"three")
        with self.start() as program:
            speaker, other = enter_all(program.address, 2)
            for at in range(1, len(message)):
                speaker.socket.sendall(message[:at])
                other.say(b"meanwhile")
                before = other.hear_until(b"meanwhile")
                speaker.socket.sendall(message[at:])
                after = [other.hear() for _ in range(3 - len(before))]
                self.assertEqual(before + after, [b"one", b"", b"three"])
            close_all((speaker, other))

    def test_byte_at_a_time(self):
        bodies = [b"x" * size for size in range(40)]
        with self.start() as program, Member(program.address) as member:
            for byte in b"".join(map(frame, bodies)):
                member.socket.sendall(bytes([byte]))
            self.assertEqual([member.hear() for _ in bodies], bodies)

    def test_pipelined(self):
        """All in one piece, before anything is read; and FIN behind it."""
        bodies = [b"%d" % number for number in range(20_000 // SLOW)]
        with self.start("--threads", "2", *PATIENT) as program:
            speaker, *others = enter_all(program.address, 4)
            tasks = [Task(other.hear_until, b"end") for other in others]
            sender = Task(speaker.say, *bodies, b"end")
            self.assertTrue(speaker.hear_until(b"end") == bodies)
            for task in tasks:
                self.assertTrue(task.result() == bodies)
            sender.result()
            close_all((speaker, *others))

    def test_one_order_of_each_speaker(self):
        """Three on different loops speak at the same time: what each says is heard in its order, by all."""
        count = 4000 // SLOW
        with self.start("--threads", "3", *PATIENT) as program:
            members = enter_all(program.address, 6)
            hearers = [Task(hear_ends, member, 3) for member in members]
            speakers = [Task(speak, member, index, count) for index, member in enumerate(members[:3])]
            for hearer in hearers:
                self.assertTrue(all(heard == list(range(count)) for heard in hearer.result()))
            for speaker in speakers:
                speaker.result()
            close_all(members)

    def test_joins_and_leaves(self):
        """Others come and go, in each way there is, while two speak: those who stay miss nothing and hear nothing
        twice, and those who come hear all from some message on."""
        with self.start("--threads", "3", *PATIENT) as program:
            members = enter_all(program.address, 6)
            stop = threading.Event()
            hearers = [Task(hear_ends, member, 2) for member in members]
            speakers = [Task(speak_until, member, index, stop) for index, member in enumerate(members[:2])]
            visitors = [Task(self.visit, program.address, 60 // SLOW + 3) for _ in range(3)]
            for visitor in visitors:
                visitor.result()
            stop.set()
            counts = [speaker.result() for speaker in speakers]
            for hearer in hearers:
                heard = hearer.result()
                self.assertTrue([len(numbers) for numbers in heard] == counts)
                self.assertTrue(all(numbers == list(range(len(numbers))) for numbers in heard))
            close_all(members)

    def visit(self, address, times):
        for leave in (Member.close, Member.reset, Member.end) * times:
            visitor = Member(address)
            numbers = [[], []]
            for _ in range(5):
                word = visitor.hear().split()
                if word[0] == b"speaker":
                    numbers[int(word[1])].append(int(word[2]))
            for heard in numbers:
                self.assertEqual(heard, list(range(heard[0], heard[-1] + 1)) if heard else [])
            leave(visitor)
            visitor.close()

    def test_too_long(self):
        """It ends the connection, but what was said before is said; the others go on."""
        for length in (LONGEST + 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1):
            says = r"\S*chat: 127\.0\.0\.1:\d+ is sent away: a message of more than 65536 bytes\n"
            with self.subTest(length=length), self.start("--threads", "2", says=says) as program:
                bad, other = enter_all(program.address, 2)
                bad.socket.sendall(frame(b"before") + struct.pack(">I", length) + frame(b"after"))
                self.assertEqual(bad.hear_all(), [b"before"])
                self.assertEqual(other.hear(), b"before")
                other.say(b"alive")
                self.assertEqual(other.hear(), b"alive")
                close_all((bad, other))

    def test_half_close(self):
        """Who has said all there is gets the rest of what was said before, then FIN."""
        bodies = [b"%d" % number * 1000 for number in range(500)]
        with self.start("--threads", "2", *PATIENT) as program:
            speaker, other = enter_all(program.address, 2)
            speaker.say(*bodies)
            speaker.end()
            self.assertTrue(speaker.hear_all() == bodies)
            self.assertTrue([other.hear() for _ in bodies] == bodies)
            close_all((speaker, other))

    def test_end_in_the_middle(self):
        """What has not come whole is not said."""
        whole = frame(b"never whole")
        with self.start() as program:
            with Member(program.address).enter() as other:
                for at in range(1, len(whole)):
                    with Member(program.address) as member:
                        member.socket.sendall(whole[:at])
                        member.end()
                        self.assertEqual(member.hear_all(), [])
                other.say(b"only this")
                self.assertEqual(other.hear(), b"only this")

    def test_resets(self):
        with self.start("--threads", "2", *PATIENT) as program:
            speaker, *others = enter_all(program.address, 10)
            for number, other in enumerate(others):
                speaker.say(*[b"%d" % number * 5000] * 20)
                other.socket.sendall(frame(b"half of it")[:7])
                other.reset()
            speaker.say(b"end")
            self.assertEqual(len(speaker.hear_until(b"end")), 20 * len(others))
            speaker.close()

    def test_slow_reader_is_dropped(self):
        """It has to go, by name. What it had until then is the beginning of what all the others have, whole."""
        limit = 2 * MIB
        with self.start("--threads", "2", "--max-pending", str(limit), says=r".* is dropped: [^\n]+\n") as program:
            slow = Member(program.address, receive_buffer=4096)
            members = enter_all(program.address, 4)
            slow.enter()
            for member in members:
                member.hear()
            said, generator = [], random.Random("slow")
            while "dropped" not in read_log(program):
                body = generator.randbytes(LONGEST)
                said.append(body)
                members[len(said) % 4].say(body)
                for member in members:
                    self.assertTrue(member.hear() == body)
                self.assertLess(len(said), 64 * MIB // LONGEST, "it is never dropped")
            self.assertRegex(read_log(program), rf"^\S*chat: {slow.name()} is dropped: it reads too slowly")
            self.assertGreater(len(said) * LONGEST, limit)
            heard = self.hear_until_reset(slow)
            self.assertTrue(b"".join(map(frame, said)).startswith(heard))
            close_all((slow, *members))

    def hear_until_reset(self, member):
        heard = bytearray()
        with self.assertRaises(ConnectionResetError):
            while part := member.socket.recv(MIB):
                heard += part
            self.fail("FIN, which would mean that this was all")
        return bytes(heard)

    def test_one_copy_for_all(self):
        """What many slow readers have not read yet is in memory once."""
        readers, total = 32, 16 * MIB // SLOW
        with self.start("--threads", "2", *PATIENT) as program:
            slow = enter_all(program.address, readers, receive_buffer=4096)
            with Member(program.address).enter() as speaker:
                for number in range(total // LONGEST):
                    body = b"%08d" % number * (LONGEST // 8)
                    speaker.say(body)
                    self.assertTrue(speaker.hear() == body)
                speaker.say(b"end")
                speaker.hear_until(b"end")
                peak = program.peak_memory()
            for member in slow:
                member.reset()
        print(f"{readers} readers that are {total >> 20} MiB behind: {peak / MIB:.1f} MiB resident at most")
        if SLOW == 1:
            self.assertLess(peak, total + 16 * MIB)

    def test_flag(self):
        for value in ("0", "65539", "1073741825", "much", ""):
            status, said, line = server.run("chat", "--max-pending", value)
            self.assertEqual((status, said), (2, ""))
            says = f"--max-pending takes a number from 65540 to 1073741824, not '{value}'"
            self.assertRegex(line, rf"^\S*chat: {says}\n$")


def speak(member, index, count):
    """Each message is a system call of its own, so that the speakers mix."""
    for number in range(count):
        member.say(b"speaker %d %d" % (index, number))
    member.say(b"end %d" % index)


def speak_until(member, index, stop):
    number = 0
    while not stop.wait(0.0005):
        member.say(b"speaker %d %d" % (index, number))
        number += 1
    member.say(b"end %d" % index)
    return number


def hear_ends(member, speakers):
    """The numbers that each speaker has said, until all of them have ended."""
    numbers, ends = [[] for _ in range(speakers)], 0
    while ends < speakers:
        word = member.hear().split()
        if word[0] == b"speaker":
            numbers[int(word[1])].append(int(word[2]))
        ends += word[0] == b"end"
    return numbers
