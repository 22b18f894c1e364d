# SPDX-License-Identifier: MIT
"""A relay under stress: relay.py DIRECTORY WAY PEERS HEAP

PEERS (peers.c) is the clients and the targets, and the judge of what each of them sees. Here the relay is started and
watched: after each round, when everybody has gone, it has the descriptors that it began with, and no more memory than
after the first rounds, as HEAP (heap.c) counts it. FERRY_STRESS_SECONDS is how long it goes on, FERRY_STRESS_SEED a seed that was printed.
"""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

import server  # noqa: E402

KIB = 1 << 10
SESSIONS = 256
ROUNDS, ROUND_S = 5, 60  # so many at least, of so many seconds at most
# A leak leaves something behind in every round; what is kept for the next connection, blocks and stacks, grows by chance,
# and only so far.
LEFT = 16 * KIB
KEPT = 6 * KIB * KIB


class Peers:
    def __init__(self, program, seed):
        self.process = subprocess.Popen(
            [program, str(seed), str(SESSIONS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.target = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(self.process.wait() or 1)
        return line.rstrip("\n")

    def write(self, number):
        print(number, file=self.process.stdin, flush=True)

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


def resident(relay):
    with open(f"/proc/{relay.process.pid}/status") as status:
        return next(int(line.split()[1]) * KIB for line in status if line.startswith("VmRSS:"))


def run_round(relay, peers, heap, seconds):
    """Returns what is allocated and what is resident when it is over."""
    peers.write(int(seconds * 1000))
    figures = peers.read()
    relay.wait_idle()
    memory = int.from_bytes(heap.read_bytes(), "little"), resident(relay)
    print(f"{time.strftime('%T')} {figures}; {memory[0]} bytes allocated, {memory[1]} resident", flush=True)
    return memory


def judge(rounds):
    """Ends the test if there is a leak: each round is a pair of what is allocated and what is resident."""
    if min(allocated for allocated, _ in rounds) <= 0:
        sys.exit("nothing was counted")
    least = min(after[0] - before[0] for before, after in itertools.pairwise(rounds))
    if least > LEFT:
        sys.exit(f"the relay has kept {least} bytes more after each round, though nobody is there")
    for first, last, what in zip(rounds[0], rounds[-1], ("allocated", "resident")):
        if last - first > KEPT:
            sys.exit(f"the relay has {last - first} bytes more {what} than after the first round, though nobody is there")


def main(arguments):
    server.directory, way, program, preload = arguments[1:]
    seed = int(os.environ.get("FERRY_STRESS_SEED") or time.time_ns() % 1_000_000_007)
    seconds = float(os.environ.get("FERRY_STRESS_SECONDS") or 15)
    print(f"{os.path.basename(server.directory)}, by {way}: seed {seed}, {seconds:.0f} s", flush=True)
    rounds = max(ROUNDS, round(seconds / ROUND_S))
    peers = Peers(program, seed)
    with tempfile.NamedTemporaryFile() as heap:
        heap.truncate(8)
        os.environ["FERRY_LAUNCHER"] = f"env FERRY_HEAP={heap.name} LD_PRELOAD={preload}"
        with server.Server("relay", "--threads", "2", "--by", way, peers.target) as relay:
            peers.write(relay.address.rpartition(":")[2])
            memory = [run_round(relay, peers, pathlib.Path(heap.name), seconds / rounds) for _ in range(rounds)]
            status = peers.end()
    judge(memory)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
