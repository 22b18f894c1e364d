# SPDX-License-Identifier: MIT
"""Whether the tutorial shows its programs as they are: tutorial_text.py SOURCE PAGE

Every block of C in the page is an excerpt, lines that follow each other, of the file that was named last before it; and
every program of the tutorial is shown or named.
"""

import os
import re
import sys

PROGRAM = re.compile(r"examples/tutorial/\w+/\w+\.c")
BLOCK = re.compile(r"^```c\n(.*?)^```$", re.S | re.M)


def read(source, path):
    with open(os.path.join(source, path), encoding="utf-8") as file:
        return file.read()


def check_blocks(source, text):
    count = 0
    for block in BLOCK.finditer(text):
        named = PROGRAM.findall(text, 0, block.start())
        if not named:
            sys.exit(f"a block names no program before it:\n{block[1]}")
        if "\n" + block[1] not in read(source, named[-1]):
            sys.exit(f"{named[-1]} does not have these lines:\n{block[1]}")
        count += 1
    if count == 0:
        sys.exit("no program is shown")
    return count


def check_names(source, text):
    folder = os.path.join(source, "examples/tutorial")
    for style in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()):
        for name in sorted(os.listdir(os.path.join(folder, style))):
            if f"examples/tutorial/{style}/{name}" not in text:
                sys.exit(f"examples/tutorial/{style}/{name} is not named")


def main(source, page):
    text = read(source, page)
    count = check_blocks(source, text)
    check_names(source, text)
    print(f"{page}: {count} excerpts are as in their files")


if __name__ == "__main__":
    main(*sys.argv[1:])
