# SPDX-License-Identifier: MIT
"""19,000 connections held by one process, nearly as many as it may have descriptors: crowd.py PROGRAMS STYLE

Each echoes a message now and then, and all are served, also while others come and go. What a connection costs is
bounded, and nothing of it is left behind.
"""

import contextlib
import resource
import sys

from load import KIB, SLOW, Clients, LoadServer

CONNECTIONS = 19_000 // SLOW
PROGRAMS = 2  # of clients, since a process may have no more descriptors than the server
# Bytes of memory, beyond what the page of a coroutine's stack takes.
ALLOWED_EACH = {"reactor": 4 * KIB, "coroutine": 12 * KIB}
ROUNDS = 2


def hold(load, style):
    """All of them at one time; returns what the server has resident then."""
    address = load.at[style]["echo"]
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Clients("load_crowd", CONNECTIONS // PROGRAMS, address)) for _ in range(PROGRAMS)]
        opened = [part.figures() for part in crowd]
        load.wait_busy(CONNECTIONS)
        for part in crowd:
            part.go_on(0)
        spoken = [part.figures() for part in crowd]
        memory = load.resident()
        print(f"{sum(part['open'] for part in opened)} open after {max(part['ms'] for part in opened)} ms;", end=" ")
        print(f"{sum(part['messages'] for part in spoken)} messages, p50 {spoken[0]['p50_us']} us", flush=True)
    return memory


def main(style):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CONNECTIONS + 100:
        sys.exit(f"{CONNECTIONS} connections need as many descriptors and some; a process may have {hard} here")
    with LoadServer(__file__) as load:
        before, peaks = load.resident(), []
        for _ in range(ROUNDS):
            peaks.append(hold(load, style))
            report = load.settled_report()
            print(f"{load.resident() // KIB} KiB resident when they have gone, {report['heap']} bytes of heap")
        each = (peaks[0] - before) // CONNECTIONS
        print(f"{style}: {each} bytes of memory a connection", flush=True)
        if report["orderly"] != CONNECTIONS // PROGRAMS * PROGRAMS * ROUNDS:
            sys.exit(f"not all ended in order: {report}")
        if SLOW == 1 and each > ALLOWED_EACH[style]:
            sys.exit(f"{each} bytes of memory a connection")


if __name__ == "__main__":
    main(sys.argv[2])
