#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether docs/complaints.md tells the truth: complaints.py COMPLAINTS.MD CTEST BUILD.

Each row names tests that CTEST knows of in BUILD, or says "None" and why; each of its sources has its address; and each
test of tests/complaints stands in a row, with a break.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

NAME = re.compile(r"`([a-z0-9_]+(?:\.[a-z0-9_*]+)+)`")
SOURCE = re.compile(r"\[([^\]]+#\d+)\](?!\()")
ADDRESS = re.compile(r"^\[([^\]]+#\d+)\]: https://\S+$", re.M)
REASON = 40  # letters; less is none


def known_tests(ctest, build):
    listed = subprocess.run([ctest, "--test-dir", build, "-N"], stdout=subprocess.PIPE, text=True, check=True)
    return set(re.findall(r"^ *Test +#\d+: (\S+)$", listed.stdout, re.M))


def rows(text):
    """Each row of a table, without its head, as its cells."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| what "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def row_faults(cells, tests, addresses):
    if len(cells) != 4:
        yield "has not four cells"
        return
    what, sources, kept_by, _ = cells
    if not SOURCE.search(sources) and "code of" not in sources:
        yield "has no source"
    for source in SOURCE.findall(sources):
        if source not in addresses:
            yield f"{source} has no address"
    names = NAME.findall(kept_by)
    for name in names:
        if not fnmatch.filter(tests, name):
            yield f"no test is called {name}"
    if not names and not (kept_by.startswith("None") and len(kept_by) > REASON):
        yield "has neither a test nor a reason"


def faults(text, tests):
    addresses = set(ADDRESS.findall(text))
    named = {}
    for cells in rows(text):
        for fault in row_faults(cells, tests, addresses):
            yield f"{cells[0]}: {fault}"
        for name in NAME.findall(cells[2] if len(cells) == 4 else ""):
            named[name] = named.get(name, "") + cells[3]
    if not named:
        yield "no row was found"
    for test in sorted(tests):
        if test.startswith("complaints_") and not named.get(test):
            yield f"{test} has no row, or no break in it"


def main(document, ctest, build):
    found = list(faults(pathlib.Path(document).read_text(encoding="utf-8"), known_tests(ctest, build)))
    for fault in found:
        print(f"{document}: {fault}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
