#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who includes whom: layers.py SOURCE_DIRECTORY.

A folder of src/ includes only itself and the folders before it in LAYERS; tools and examples include only <ferry/...>,
the system's headers and their own. The public headers include only themselves and the system's.
"""
import pathlib
import re
import sys

LAYERS = ["base", "sys", "poll", "loop", "conn", "co", "server"]
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)')


def includes(folder):
    """Yields each file below `folder` with each of its includes: (file, line number, '"' or '<', name)."""
    for file in sorted(folder.rglob("*.[ch]")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                yield file, number, match[1], match[2]


def library_faults(src):
    for folder in sorted(path.name for path in src.iterdir() if path.is_dir()):
        if folder not in LAYERS:
            yield src / folder, 0, "is not one of the layers"
            continue
        for file, number, quote, name in includes(src / folder):
            used = name.split("/")[0]
            if quote == '"' and ("/" not in name or used not in LAYERS):
                yield file, number, f'"{name}" does not name one of the layers: {" ".join(LAYERS)}'
            elif quote == '"' and LAYERS.index(used) > LAYERS.index(folder):
                yield file, number, f"{folder} is below {used}, and may not use {name}"


def program_faults(root):
    own = {header.name for header in root.rglob("*.h")}
    for file, number, quote, name in includes(root):
        if quote == '"' and name not in own:
            yield file, number, f'"{name}" is not one of its own headers'


def header_faults(root):
    for file, number, quote, name in includes(root):
        if quote == '"':
            yield file, number, f'"{name}": a public header includes <ferry/...> and the system alone'


def bracket_faults(src, root):
    for file, number, quote, name in includes(root):
        if quote == "<" and (src / name).exists():
            yield file, number, f"<{name}> is internal: in src/ it takes quotes, elsewhere it is not to be used"


def main():
    top = pathlib.Path(sys.argv[1])
    src = top / "src"
    found = list(library_faults(src)) + list(header_faults(top / "include"))
    for program in ("tools", "examples"):
        found += program_faults(top / program)
    for root in ("src", "include", "tools", "examples"):
        found += bracket_faults(src, top / root)
    sys.exit("\n".join(f"{file.relative_to(top)}:{number}: {what}" for file, number, what in found) or 0)


main()
