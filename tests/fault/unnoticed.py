#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library's own tests, with faults that nobody may notice: unnoticed.py PROGRAM...

Each case of each program has to pass under each pattern of tests/fault/patterns.c: by chance, with FERRY_FAULT_SEED; and with
FERRY_FAULT_FULL all of them. FERRY_BACKEND says over which backend. What is not run is in EXCLUDED. Prints how many faults there
were. A failure is replayed by

    FERRY_BACKEND=... FERRY_FAULT=PATTERN PROGRAM CASE
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LIMIT = 240  # seconds a case, which only one that hangs needs

JOBS = 2

# Patterns of cases and of faults: why they do not go together.
EXCLUDED = [
    (r"unit_backend\.a_wait_that_is_refused", r".*", "each wait is epoll_pwait2(2) here: tests/fault/waiting.c"),
    (r"unit_ring\.it_opens_no_files_and_no_sockets", r".*", "rings are not restricted here: tests/fault/rings.c"),
    (r"net_close\.each_ending_has_its_verdict", r"short|\d+", "what it sends small is to be in the kernel whole"),
    (r"net_(input\.leftovers_wait_for_more|order\.a_thread_joins_.*)", r"short|\d+", "it counts the calls of on_data"),
    (r"net_pressure\.sends_of_a_callback_drain", r"short|\d+", "two bytes are to come in one call of on_data"),
    (r"net_send\.no_signal_where_a_thread_is_told_first", r"eagain|\d+", "the loop is held, to which such a send would be left"),
    (r"co_recv\.what_is_left_comes_again", r"short|\d+", "three bytes are to come at once"),
]


def patterns():
    seed = os.environ.get("FERRY_FAULT_SEED", "1")
    return ["eintr", "eagain", "short", "waits", seed] if os.environ.get("FERRY_FAULT_FULL") else [seed]


def excluded(case, pattern):
    return any(re.fullmatch(cases, case) and re.fullmatch(faults, pattern) for cases, faults, _ in EXCLUDED)


def cases_of(program):
    name = pathlib.Path(program).name.removeprefix("fault_")
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    return [(case, pattern) for case in listed for pattern in patterns() if not excluded(f"{name}.{case}", pattern)]


def run(program, case, pattern, counts):
    environment = os.environ | {"FERRY_FAULT": pattern, "FERRY_FAULT_COUNT": counts}
    try:
        done = subprocess.run(
            [program, case], env=environment, capture_output=True, text=True, errors="replace", timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LIMIT} s"
    if done.returncode == 0:
        return None
    return f"exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"


def main():
    backend = os.environ.get("FERRY_BACKEND", "epoll")
    jobs = []
    with tempfile.NamedTemporaryFile() as counts, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for program in sys.argv[1:]:
            for case, pattern in cases_of(program):
                what = f"FERRY_BACKEND={backend} FERRY_FAULT={pattern} {program} {case}"
                jobs.append((what, pool.submit(run, program, case, pattern, counts.name)))
        failed = [(what, why) for what, job in jobs if (why := job.result())]
        faults = sum(int(line) for line in pathlib.Path(counts.name).read_text(encoding="ascii").split())
    print(f"{backend}: {len(jobs)} runs of cases, {faults} faults that nobody may notice, {len(failed)} runs failed")
    for what, why in failed:
        print(f"---- {what}: {why}")
    sys.exit(1 if failed else 0)


main()
