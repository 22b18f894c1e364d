# SPDX-License-Identifier: MIT
"""A relay under stress: relay.py DIRECTORY WAY PEERS

PEERS (peers.c) is the clients and the targets, and the judge of what each of them sees. Here the relay is started and
watched: after each round, when everybody has gone, it has the descriptors that it began with, and no more memory than
after the first rounds. FERRY_STRESS_SECONDS is how long it goes on, FERRY_STRESS_SEED a seed that was printed.
"""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

import server  # noqa: E402

KIB = 1 << 10
SESSIONS = 256
ROUNDS, ROUND_S = 4, 60  # so many at least, of so many seconds at most
WARM_UP = 2
# What the allocator's pages may come to between two rounds that are alike. Some four hundred bytes that each session
# leaks come to more than that in a minute; less takes longer.
ALLOWED = 512 * KIB


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


def run_round(relay, peers, seconds):
    """Returns what is resident when it is over."""
    peers.write(int(seconds * 1000))
    figures = peers.read()
    relay.wait_idle()
    memory = resident(relay)
    print(f"{time.strftime('%T')} {figures}; {memory // KIB} KiB resident", flush=True)
    return memory


def main(arguments):
    server.directory, way, program = arguments[1:]
    seed = int(os.environ.get("FERRY_STRESS_SEED") or time.time_ns() % 1_000_000_007)
    seconds = float(os.environ.get("FERRY_STRESS_SECONDS") or 15)
    print(f"{os.path.basename(server.directory)}, by {way}: seed {seed}, {seconds:.0f} s", flush=True)
    rounds = max(ROUNDS, round(seconds / ROUND_S))
    peers = Peers(program, seed)
    with server.Server("relay", "--threads", "2", "--by", way, peers.target) as relay:
        peers.write(relay.address.rpartition(":")[2])
        memory = [run_round(relay, peers, seconds / rounds) for _ in range(rounds)]
        status = peers.end()
    grown = memory[-1] - max(memory[:WARM_UP])
    if "FERRY_TEST_SLOW" not in os.environ and grown > ALLOWED:
        sys.exit(f"the relay has grown by {grown // KIB} KiB, though nobody is there")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
