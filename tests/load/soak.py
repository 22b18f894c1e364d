# SPDX-License-Identifier: MIT
"""Clients by chance, for as long as one likes: soak.py PROGRAMS

In rounds: at the end of each the random clients have gone, and the server is looked at: its descriptors are those it
began with, and its memory and the latency of some that are held all the while are those of the rounds before.
FERRY_LOAD_SECONDS is how long it goes on, FERRY_LOAD_SEED a seed that was printed.
"""

import contextlib
import fcntl
import os
import pathlib
import statistics
import struct
import sys
import tempfile
import termios
import time

from load import KIB, MIB, SLOW, Clients, LoadServer, clients, pattern_file, wait_until

CLIENTS, HELD = 64, 32
FILE_SIZE = 200_003
ROUNDS, ROUND_S = 6, 60  # so many at least, of so many seconds at most
PIECE = 2 * KIB  # small enough to be queued in blocks, which bigger ones are not
NEVER = ("too_long", "too_much", "aborted", "other")  # is a connection ended here
# A reset that the kernel does not believe, as of one who goes in the middle of megabytes, leaves a connection to linger_ms.
ORPHANS = 1000  # at most one of so many
PENDING = 8 * MIB  # more than a client of the plans sends
# What the last third of the rounds may differ by from the middle one. The heap: less than anything that each connection
# leaves behind, and what a crowd that is bigger by chance may leave for the next.
HEAP_EACH, HEAP_ONCE = 8, 24 * KIB
RESIDENT = (4 if SLOW == 1 else 16) * MIB  # a sanitizer keeps what was freed
LATENCY_FACTOR, LATENCY_US = 4, 20_000

def all_sent(client):
    """Whether the server's kernel has all of it, which keeps little for itself."""
    return struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))[0] == 0


def warm_up(load):
    """What the server keeps for the next, coroutines and blocks of memory, it has in use at one time, and more."""
    with contextlib.ExitStack() as stack:

        def connect(address):
            return stack.enter_context(clients.connect(address))

        for address in load.everywhere("echo", "file"):
            for _ in range(2 * CLIENTS):
                connect(address)
        talkers = [connect(address) for address in load.everywhere("echo") for _ in range(16)]
        for _ in range(MIB // 2 // PIECE):
            for client in talkers:
                client.sendall(bytes(PIECE))
            wait_until(lambda: all(map(all_sent, talkers)), "the server has received all")
    load.wait_idle()


def run_round(load, soak, crowd, seconds):
    soak.go_on(seconds * 1000)
    crowd.go_on(seconds * 1000)
    figures = {**crowd.figures(), **soak.figures()}
    load.wait_idle()
    report = load.report()
    figures.update({name: report[name] for name in ("heap", "opened", "timed_out", *NEVER)})
    load.wait_idle()
    figures.update(resident=load.resident(), descriptors=load.count_descriptors())
    print(
        f"{time.strftime('%T')} {figures['clients']} clients, {figures['MiB']} MiB, {figures['rude']} were rude;"
        f" p50 {figures['p50_us']} us, p99 {figures['p99_us']} us; {figures['resident'] // KIB} KiB resident,"
        f" {figures['heap'] / KIB:.1f} KiB of heap, {figures['descriptors']} descriptors",
        flush=True,
    )
    return figures

def median(rounds, name):
    return statistics.median(figures[name] for figures in rounds)

def judge(rounds):
    """What is not flat, in a sentence, or None."""
    third = len(rounds) // 3
    middle, last = rounds[third : 2 * third], rounds[-third:]
    between = median(last, "clients") - median(middle, "clients")
    heap, resident, before, after = (
        median(last, "heap") - median(middle, "heap"),
        median(last, "resident") - median(middle, "resident"),
        median(middle, "p50_us"),
        median(last, "p50_us"),
    )
    print(f"last third against the middle one: {between:.0f} clients later, heap {heap:+.0f} bytes, resident", end=" ")
    print(f"{resident / KIB:+.0f} KiB, p50 {before:.0f} and {after:.0f} us", flush=True)
    if heap > HEAP_ONCE + HEAP_EACH * between:
        return f"the heap has grown by {heap:.0f} bytes over {between:.0f} clients"
    if resident > RESIDENT + HEAP_EACH * between:
        return f"the server has grown by {resident / KIB:.0f} KiB over {between:.0f} clients"
    if after > LATENCY_FACTOR * before + LATENCY_US * SLOW:
        return f"half of the messages take {after:.0f} us, and took {before:.0f}"
    if rounds[-1]["timed_out"] > 1 + rounds[-1]["opened"] // ORPHANS or any(rounds[-1][name] for name in NEVER):
        return "the server has ended connections without a reason"
    return None

def main():
    # AddressSanitizer keeps what was freed, to notice its use: less than usual, so that it is flat soon.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"
    seed = int(os.environ.get("FERRY_LOAD_SEED") or time.time_ns() % 1_000_000_007)
    seconds = float(os.environ.get("FERRY_LOAD_SECONDS") or 24)
    rounds = max(ROUNDS, round(seconds / ROUND_S))
    print(f"seed {seed}, {seconds:.0f} s in {rounds} rounds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "file")
        pattern_file(file, FILE_SIZE)
        with LoadServer(str(file), "--pending", str(PENDING)) as load:
            warm_up(load)
            addresses = load.everywhere("echo", "file")
            echoes = load.everywhere("echo")
            with Clients("load_crowd", HELD, *echoes) as crowd, Clients(
                "load_soak", seed, CLIENTS, FILE_SIZE, *addresses
            ) as soak:
                crowd.figures()
                load.wait_busy(HELD)
                alone, load.descriptors = load.descriptors, load.descriptors + HELD
                figures = [run_round(load, soak, crowd, seconds / rounds) for _ in range(rounds)]
                load.descriptors = alone
            print(f"ended: {load.settled_report()}; {load.peak_memory() // KIB} KiB resident at most", flush=True)
    return judge(figures)

if __name__ == "__main__":
    sys.exit(main())
