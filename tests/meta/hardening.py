#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hardening: hardening.py PROGRAM LIBRARY.so OBJECT...

What docs/security.md promises of the files, as readelf sees it, and of a program that runs: no memory that can be written and
executed.
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def readelf(option, path):
    command = ["readelf", "--wide", option, path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def of_a_file(path):
    """What is wrong with a program or a shared library."""
    segments = readelf("--program-headers", path)
    dynamic = readelf("--dynamic", path)
    if not re.search(r"^Elf file type is DYN", segments, re.MULTILINE):
        yield "is at a fixed address"
    if not re.search(r"GNU_STACK .* RW +0x", segments):
        yield "wants an executable stack"
    if re.search(r"^ +LOAD .* RWE +0x", segments, re.MULTILINE):
        yield "has a segment that can be written and executed"
    if "GNU_RELRO" not in segments or not re.search(r"BIND_NOW|FLAGS.*\bNOW\b", dynamic):
        yield "leaves its relocations writable"
    if "__stack_chk_fail" not in readelf("--dyn-syms", path):
        yield "has no stack protector"


def of_an_object(path):
    """The tracking of branches is on only where each object has it; and no object may say that it has a shadow stack."""
    if "x86-64" not in readelf("--file-header", path).lower():
        return
    notes = readelf("--notes", path)
    if "x86 feature: IBT" not in notes or "SHSTK" in notes:
        yield "is not marked for the tracking of branches, alone"


def of_a_process(program):
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"ferry")
        file.flush()
        for style in ("reactor", "coroutine"):
            command = [program, "serve", "--listen", "127.0.0.1:0", "--style", style, file.name]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
                address = re.search(r"127\.0\.0\.1:[0-9]+", server.stdout.readline())
                subprocess.run([program, "get", "--discard", address.group()], check=True, capture_output=True)
                maps = pathlib.Path(f"/proc/{server.pid}/maps").read_text()
                server.terminate()
            if "[stack]" not in maps or re.search(r"^\S+ .wx", maps, re.MULTILINE):
                yield f"in style {style} has memory that can be written and executed"


def main():
    program, library, *objects = sys.argv[1:]
    found = [f"{path} {what}" for path in (program, library) for what in of_a_file(path)]
    found += [f"{path} {what}" for path in objects for what in of_an_object(path)]
    found += [f"{program} {what}" for what in of_a_process(program)]
    sys.exit("\n".join(found) or 0)


main()
