#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goes through every order of steps of the scenes, over the library's own code, and looks whether each break of that code is found:
run.py [PART-OF-A-NAME]

A program is made for each file of scenes, in a directory that is thrown away. A break is a line of the sources made another one;
the scene it belongs to must fail then.
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
ROOT = HERE.parents[1]
CC = os.environ.get("CC", "gcc")
PATIENCE = 600  # seconds
WARNINGS = "-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror".split()
FLAGS = "-std=gnu11 -D_GNU_SOURCE -O1 -g -fno-pie -ffunction-sections".split() + WARNINGS
# The library, and the scenes: each access of memory is a call, and the arena and the clock are the explorer's.
SEEN = ["-fsanitize=thread", "-Dmalloc=explore_malloc", "-Dcalloc=explore_calloc", "-Dfree=explore_free",
        "-Dclock_gettime=kernel_clock", "-include", "stdlib.h", "-include", "time.h", "-include", "explore.h"]

OWN = ["main.c", "explore.c", "atomics.c", "hooks.c", "kernel.c"]
LOOP = ["base/buffer", "base/log", "loop/loop", "loop/blocks", "loop/timer"]
CONN = ["loop/after", "loop/pipe", "loop/worker"] + ["conn/" + name for name in (
    "blob close conn file forward input lend outbox queue segment send transfer watch writer".split())]
PROGRAMS = {  # of the library's files
    "lock": LOOP + ["sys/lock"],
    "loop": LOOP + ["sys/lock"],
    "outbox": LOOP + CONN,
}
SCENES = {
    "lock": ["lock_twice", "lock_three"],
    "loop": ["mailbox", "sleep_one_posts", "sleep_two_post"],
    "outbox": ["outbox_small_and_big", "outbox_in_a_hurry", "outbox_two_big", "outbox_behind_a_file", "outbox_end",
               "outbox_end_of_a_pause"],
}


class Break(typing.NamedTuple):
    name: str
    file: str
    line: str  # what stands there, once,
    broken: str  # and what instead
    scene: str


BREAKS = [
    Break("what a lock's holder did is not released", "sys/lock.h",
          "FY_LOCK_FREE, memory_order_release)", "FY_LOCK_FREE, memory_order_relaxed)", "lock_twice"),
    Break("who waited for a lock does not acquire", "sys/lock.c",
          "FY_LOCK_WANTED, memory_order_acquire)", "FY_LOCK_WANTED, memory_order_relaxed)", "lock_twice"),
    Break("who waited for a lock takes it as if alone", "sys/lock.c",
          "while (atomic_exchange_explicit(&lock->state, FY_LOCK_WANTED,",
          "while (atomic_exchange_explicit(&lock->state, FY_LOCK_HELD,", "lock_three"),
    Break("a letter is put without being released", "base/mailbox.h",
          "while (!atomic_compare_exchange_weak(&box->newest, &old, letter));",
          "while (!atomic_compare_exchange_weak_explicit(&box->newest, &old, letter, memory_order_relaxed, memory_order_relaxed));",
          "mailbox"),
    Break("letters are taken by two accesses", "base/mailbox.h",
          "struct fy_letter *newest = atomic_exchange(&box->newest, NULL);",
          "struct fy_letter *newest = atomic_load(&box->newest);\n    atomic_store(&box->newest, NULL);", "mailbox"),
    Break("asleep is said by a store that may be late", "loop/loop.c",
          "    if (timeout_ns != 0) {\n        atomic_store(&loop->asleep, true);",
          "    if (timeout_ns != 0) {\n        atomic_store_explicit(&loop->asleep, true, memory_order_release);", "sleep_one_posts"),
    Break("the box is looked into before asleep is said", "loop/loop.c",
          "        atomic_store(&loop->asleep, true);\n        int64_t idle = fy_loop_idle_ns(loop);",
          "        int64_t idle = fy_loop_idle_ns(loop);\n        atomic_store(&loop->asleep, true);", "sleep_two_post"),
    Break("who posts looks at asleep first", "loop/loop.c",
          "    fy_mailbox_put(&loop->mail, &task->letter);\n    atomic_fetch_add_explicit(&loop->posts, 1, memory_order_relaxed);\n"
          "    return fy_loop_current != loop && atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false);",
          "    bool rings = fy_loop_current != loop && atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false);\n"
          "    fy_mailbox_put(&loop->mail, &task->letter);\n    return rings;", "sleep_one_posts"),
    Break("room in the kernel is not noted while another writes", "conn/writer.c",
          "        c->out.retry = true;\n", "        c->out.posted = c->out.posted;\n", "outbox_small_and_big"),
    Break("room that was noted is not looked at", "conn/writer.c",
          "(next == FY_BLOCKED && !out->retry)", "next == FY_BLOCKED", "outbox_small_and_big"),
    Break("a big message is written whoever writes", "conn/outbox.c",
          "return out->role == FY_WRITING || out->role == FY_BLOCKED ||", "return out->role == FY_BLOCKED ||", "outbox_two_big"),
    Break("what comes while TCP_CORK is taken off is nobody's", "conn/writer.c",
          "    if (out->first && next == FY_IDLE)\n", "    if (false)\n", "outbox_behind_a_file"),
    Break("who is about to ring is not counted", "conn/conn.c",
          "        c->out.ringing++; /*", "        /*", "outbox_end_of_a_pause"),
    Break("an end that waited for a ring is not told again", "conn/conn.c",
          "        c->out.ringing--;\n        if (c->out.dead)\n", "        c->out.ringing--;\n        if (false)\n", "outbox_end_of_a_pause"),
    Break("who rings a loop keeps the connection from ending, which has it rung again", "conn/conn.c",
          "if (c->out.dead) { /* with", "if (false) { /* with", "outbox_end"),
    Break("a connection ends under its writer", "conn/conn.c",
          "!c->out.closed && c->out.role != FY_WRITING && c->out.ringing == 0", "!c->out.closed && c->out.ringing == 0", "outbox_end"),
    Break("letting go of a connection orders nothing", "conn/send.c",
          "&conn->refs, 1, memory_order_acq_rel)", "&conn->refs, 1, memory_order_relaxed)", "outbox_end"),
]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def must(*command):
    done = run(*command)
    if done.returncode:
        sys.exit(done.stdout)


def compile_one(path, program, source, folder, seen):
    """An object of the file, which includes from `source` first."""
    shadow = ["-I", HERE / "shadow"] if program == "outbox" else []
    target = folder / f"{path.parent.name}_{path.stem}.o"
    must(CC, *FLAGS, *(SEEN if seen else []), *shadow, "-I", source, "-I", ROOT / "src", "-I", ROOT / "include", "-I", HERE,
         "-c", path, "-o", target)
    return target


def link(objects, folder):
    """kernel.c comes first, and what it has is not taken from sys.c."""
    must(CC, "-no-pie", "-Wl,--gc-sections", "-Wl,-z,muldefs", *sorted(objects, key=lambda path: path.name != "interleave_kernel.o"),
         "-o", folder / "program", "-pthread")
    return folder / "program"


def seen_files(program):
    return [HERE / f"scene_{program}.c"] + [ROOT / f"src/{name}.c" for name in PROGRAMS[program]]


def build(program, folder):
    """The program of a file of scenes."""
    folder.mkdir()
    rest = [HERE / name for name in OWN] + [ROOT / f"src/sys/{name}.c" for name in ("sys", "addr", "sock")]
    rest.append(ROOT / f"src/co/switch_{os.uname().machine}.S")
    objects = [compile_one(path, program, folder, folder, True) for path in seen_files(program)]
    objects += [compile_one(path, program, folder, folder, False) for path in rest]
    return link(objects, folder)


def build_broken(one, program, base, folder):
    """The same with the break: in one file, or in a header and all that is compiled for the scenes."""
    text = (ROOT / "src" / one.file).read_text()
    if text.count(one.line) != 1:
        sys.exit(f"{one.name}: its line is {text.count(one.line)} times in {one.file}")
    path = folder / one.file
    path.parent.mkdir(parents=True)
    path.write_text(text.replace(one.line, one.broken))
    again = seen_files(program) if path.suffix == ".h" else [path]
    objects = {made.name: made for made in base.glob("*.o")}
    for made in [compile_one(file, program, folder, folder, True) for file in again]:
        objects[made.name] = made
    return link(objects.values(), folder)


def named(said, program):
    """What a schedule that failed says, with places in the code by their lines."""
    places = sorted(set(re.findall(r" at (0x[0-9a-f]+)", said)))
    if not places:
        return said
    lines = run("addr2line", "-e", program, *places).stdout.split("\n")
    for place, line in zip(places, lines):
        said = said.replace(f" at {place}", " at " + "/".join(line.split("/")[-2:]))
    return said


def holds(program, folder):
    done = run(folder / program / "program", timeout=PATIENCE)
    return done.returncode == 0, named(done.stdout, folder / program / "program").rstrip()


def is_found(one, folder):
    program = next(name for name, scenes in SCENES.items() if one.scene in scenes)
    path = build_broken(one, program, folder / program, folder / f"break_{BREAKS.index(one)}")
    done = run(path, one.scene, timeout=PATIENCE)
    shown = done.stdout.rstrip().split("\n")[-1]
    return done.returncode == 1, f"{'found' if done.returncode == 1 else 'NOT FOUND'}: {one.name}: {shown}"


def main():
    part = " ".join(sys.argv[1:])
    bad = count = 0
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = pathlib.Path(name)
        list(pool.map(lambda program: build(program, folder / program), PROGRAMS))
        work = [pool.submit(holds, program, folder) for program in PROGRAMS if part in program]
        work += [pool.submit(is_found, one, folder) for one in BREAKS if part in f"{one.name} {one.scene}"]
        for task in work:
            good, said = task.result()
            print(said, flush=True)
            bad += not good
            count += 1
    print(f"{count - bad} of {count} as they must be")
    sys.exit(1 if bad or not count else 0)


main()
