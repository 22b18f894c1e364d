# SPDX-License-Identifier: MIT
"""As many connections as there can be, from two processes: storm.py PROGRAMS

First with room for those that wait to be accepted, where each must be served. Then with next to none, where the kernel
turns most of them away, some without a word, so that they give up in the end. Some that were there before are served all
the while.
"""

import os
import subprocess
import sys

from load import SLOW, Clients, LoadServer, numbers, programs, server, wait_until

HELD, SLOTS, STORMS, STORM_MS = 20, 300, 2, 2500
TIGHT = 4  # far fewer than SLOTS
PATIENCE_MS, SHORT_PATIENCE_MS = 60_000 * SLOW, 4000


def storm(addresses, patience):
    command = [os.path.join(programs, "load_storm"), str(STORM_MS), str(patience), str(SLOTS), *addresses]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def figures(process):
    out, _ = process.communicate(timeout=server.FAIL_SAFE_S)
    if process.returncode != 0:
        sys.exit(f"load_storm ended with {process.returncode}")
    return numbers(out)


def settle(load, given_up):
    """Of those that gave up, some may be open for the server, whose kernel has not heard of their end."""
    wait_until(lambda: load.count_descriptors() - load.descriptors <= given_up, "no more are open than gave up")
    report = load.report()
    load.terminate()
    load.wait_end()
    return report


def weather(backlog, patience):
    with LoadServer(__file__, "--backlog", str(backlog)) as load:
        addresses = load.everywhere("echo")
        with Clients("load_crowd", HELD, *addresses) as crowd:
            crowd.figures()
            storms = [storm(addresses, patience) for _ in range(STORMS)]
            crowd.go_on(STORM_MS)
            held = crowd.figures()
            all_figures = [figures(process) for process in storms]
        names = ("begun", "served", "refused", "given_up")
        begun, served, refused, given_up = (sum(part[name] for part in all_figures) for name in names)
        report = settle(load, given_up)
    print(
        f"backlog {backlog or 'as ever'}: {begun} begun, {served} served, {refused} refused, {given_up} gave up; the"
        f" slowest after {max(part['max_us'] for part in all_figures) // 1000} ms; {held['messages']} messages of those"
        f" that were there, p50 {held['p50_us']} us",
        flush=True,
    )
    if served + refused + given_up != begun or report["opened"] < served + HELD:
        sys.exit(f"{begun} begun; the server says {report}")
    if served < begun and not backlog:
        sys.exit("not all are served, though there was room")
    if served < SLOTS:
        sys.exit("hardly anybody was served")


def main():
    weather(0, PATIENCE_MS)
    weather(TIGHT, SHORT_PATIENCE_MS)


if __name__ == "__main__":
    sys.exit(main())
