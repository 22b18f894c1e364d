#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the libraries show: exports.py LIBRARY.so LIBRARY.a HEADER...

The shared library exports exactly the functions that the headers declare; the static one defines those and names that
begin with fy_, so that it can be linked into any program.
"""
import pathlib
import re
import subprocess
import sys

# A declaration begins a line with FERRY_API and has the function's name on that line.
DECLARATION = re.compile(r"^FERRY_API .*?\b(ferry_\w+)\(", re.MULTILINE)


def symbols(*command):
    """The names that nm prints; those of objects within an archive, too."""
    lines = subprocess.run(["nm", *command], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0].partition("@")[0] for line in lines if line and not line.endswith(":")}


def main():
    shared, static, *headers = sys.argv[1:]
    declared = set()
    for header in headers:
        declared.update(DECLARATION.findall(pathlib.Path(header).read_text()))
    exported = symbols("-D", "--defined-only", "--format=posix", shared)
    defined = symbols("-g", "--defined-only", "--format=posix", static)

    found = [f"{shared} exports {name}, which no header declares" for name in sorted(exported - declared)]
    found += [f"{shared} does not export {name}, which a header declares" for name in sorted(declared - exported)]
    found += [
        f"{static} defines {name}, which is neither public nor fy_"
        for name in sorted(defined - declared)
        if not name.startswith("fy_")
    ]
    if not declared:
        found.append("no declaration was found in the headers")
    sys.exit("\n".join(found) or 0)


main()
