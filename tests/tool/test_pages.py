# SPDX-License-Identifier: MIT
"""The manual pages say what the help texts say."""

import pathlib
import re
import unittest

from program import MODES, STYLES, Case, run

PAGES = pathlib.Path(__file__).resolve().parents[2] / "tools" / "ferry"


def long_options(text):
    return set(re.findall(r"--([a-z][a-z0-9-]+)", text))


def page(name):
    """What a page explains, near enough as plain text: mdoc writes --name as `Fl Fl name`, and -x as `Fl x`."""
    lines = (PAGES / name).read_text().splitlines(keepends=True)
    source = "".join(line for line in lines if line.startswith(".It "))
    return re.sub(r"\bFl ([a-zA-Z])\b", r"-\1", source.replace("Fl Fl ", "--"))


class Pages(Case):
    def test_options(self):
        for command in ("serve", "get"):
            help_text = run(command, "--help").out
            with self.subTest(command):
                self.assertEqual(long_options(help_text), long_options(page(f"ferry-{command}.1")))
                for short in re.findall(r"^  (-\w), --", help_text, re.MULTILINE):
                    self.assertIn(short, page(f"ferry-{command}.1"))
        self.assertEqual(long_options(run("--help").out), long_options(page("ferry.1")))

    def test_commands_modes_and_styles(self):
        for word in re.findall(r"^  (\w+)  ", run("--help").out, re.MULTILINE):
            self.assertIn(f".It Cm {word}\n", page("ferry.1"))
        for word in (*MODES, *STYLES):
            self.assertIn(f".It Cm {word}\n", page("ferry-serve.1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
