#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has spin go through every state of the models, and find the fault in each variant that was broken on purpose: run.py [PART-OF-A-NAME]

A model must come out without errors and searched to its end; a variant must not come out. Each scene is compiled and searched in a
directory of its own, which is thrown away.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing

HERE = pathlib.Path(__file__).resolve().parent
DEPTH = 20000  # steps of one path; that none is longer is looked at
MEMORY = 2000  # MiB that a search may take
PATIENCE = 600  # seconds
COMPILE = ["-O1", "-w", "-DCOLLAPSE", f"-DMEMLIM={MEMORY}"]


class Scene(typing.NamedTuple):
    name: str
    model: str
    defines: str  # of the preprocessor, as spin takes them
    breaks: str = ""  # variants: each is this scene with one of these defined
    cycles: bool = False  # whether it is looked for what goes round for ever, too


OUTBOX = "-DFAULTS={} -DSPURIOUS={} -DKINDS={}"

SCENES = [
    Scene("three threads", "lock", "", "BREAK_HELD BREAK_COMPARE BREAK_RELEASE", cycles=True),
    Scene("two threads post", "sleep", "-DTHREADS=0", "BREAK_LOOK_BEFORE_SLEEP BREAK_LOOK_BEFORE_POST BREAK_EACH_RINGS"),
    Scene("a connection ends while it is marked", "sleep", "-DPOSTERS=0", "BREAK_RINGING BREAK_END_NOT_MARKED BREAK_RING_IN_VAIN",
          cycles=True),
    Scene("and while a thread posts", "sleep", "-DPOSTERS=1 -DPOSTS=1"),
    Scene("threads send", "outbox", OUTBOX.format(0, 1, "NONE,NONE,SMALL,BIG,BIG,NONE"),
          "BREAK_RETRY BREAK_RETRY_UNNOTED BREAK_RETRY_CLEARED_LATE BREAK_ROLE BREAK_KEEP"),
    Scene("threads and the loop send, and shut down", "outbox", OUTBOX.format(0, 0, "BIG,NONE,BIG,NONE,SMALL,NONE") + " -DSHUT"),
    Scene("a file among them", "outbox", OUTBOX.format(0, 0, "FILE,NONE,SMALL,NONE,BIG,NONE") + " -DSHUT", "BREAK_UNPLUG"),
    Scene("failures, and an abort", "outbox", OUTBOX.format(1, 0, "NONE,NONE,BIG,NONE,SMALL,NONE") + " -DABORT", "BREAK_END"),
    Scene("the backend sends, too", "outbox", OUTBOX.format(0, 1, "SMALL,NONE,BIG,NONE,SMALL,NONE") + " -DRING"),
    Scene("and fails", "outbox", OUTBOX.format(1, 0, "SMALL,NONE,SMALL,NONE,NONE,NONE") + " -DRING -DABORT -DSHUT"),
]


def output(*command, cwd):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE).stdout


def search(scene, broken):
    """(whether it came out as it must, a line about it, what spin said)"""
    defines = scene.defines.split() + ([f"-D{broken}"] if broken else [])
    with tempfile.TemporaryDirectory() as folder:
        said = output("spin", *defines, "-a", HERE / f"{scene.model}.pml", cwd=folder)
        said += output("gcc", *COMPILE, "-DNP" if scene.cycles else "-DSAFETY", "-o", "pan", "pan.c", cwd=folder)
        said += output("./pan", f"-m{DEPTH}", *(["-l"] if scene.cycles else []), cwd=folder)
        if broken:
            said += output("spin", *defines, "-k", f"{scene.model}.pml.trail", "-p", HERE / f"{scene.model}.pml", cwd=folder)
    counts = re.search(r"errors: (\d+)\n\s*(\d+) states, stored.*\n(?:.*\n)*?\s*(\d+) transitions", said)
    if not counts:
        return False, f"{scene.model}: {scene.name}: no result", said
    errors, states, transitions = map(int, counts.groups())
    whole = not re.search("not completed|too small|max search depth|out of memory", said)
    if broken:
        fault = re.search(r"pan:\d+: (.*?) \(at depth", said)
        return errors > 0, f"{'found' if errors else 'NOT FOUND'}: {scene.model} with {broken}: {fault[1] if fault else '-'}", said
    good = errors == 0 and whole
    return good, f"{'holds' if good else 'FAILS'}: {scene.model}: {scene.name}: {states} states, {transitions} transitions", said


def main():
    wanted = [(scene, broken) for scene in SCENES for broken in ["", *scene.breaks.split()]
              if all(part in f"{scene.model} {scene.name} {broken}" for part in sys.argv[1:])]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for good, line, said in pool.map(lambda pair: search(*pair), wanted):
            print(line, flush=True)
            if not good:
                failed += 1
                print(said[-8000:])
    print(f"{len(wanted) - failed} of {len(wanted)} as they must be")
    sys.exit(1 if failed or not wanted else 0)


main()
