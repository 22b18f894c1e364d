# SPDX-License-Identifier: MIT
"""Plots, by gnuplot: a line a server, over the loads of a group; dashed where it is the io_uring one of two."""

import statistics
import subprocess

import suite

COLOURS = ["#888888", "#d1495b", "#edae49", "#00798c", "#30638e", "#8f6bb3", "#5a8f29", "#003d5b"]

SCRIPT = """
set terminal svg size 760,440 font 'sans-serif,12' background '#ffffff'
set output '{path}'
set title '{title}'
set xlabel '{xlabel}'
set ylabel '{ylabel}'
set logscale x
set logscale y 2
set xtics ({xtics})
set grid ytics lc '#dddddd'
set key outside right noenhanced
set border 3
set tics nomirror
plot {lines}
"""


def file_name(group):
    return group.name.replace(" ", "-") + ".svg"


def draw(group, loads, out):
    names = list(dict.fromkeys(name for load in loads for name in load["servers"]))
    alike = {name: name.removesuffix(suite.EPOLL).removesuffix(suite.URING) for name in names}
    numbers = {who: number for number, who in enumerate(dict.fromkeys(alike.values()))}
    blocks, lines = [], []
    for name in names:
        points = []
        for load in loads:
            rounds = load["servers"].get(name, {"rounds": []})["rounds"]
            if rounds:
                points.append(f"{load['x']} {statistics.median(one[group.plot] for one in rounds)}")
        number = numbers[alike[name]]
        dash = 1 + 2 * (number // len(COLOURS)) + name.endswith(suite.URING)
        lines.append(f"'-' with linespoints lw 2 pt 7 ps 0.5 dt {dash} lc '{COLOURS[number % len(COLOURS)]}' "
                     f"title '{name}'")
        blocks.append("\n".join(points + ["e"]))
    script = SCRIPT.format(path=out / file_name(group), title=group.heading, xlabel=group.xlabel, ylabel=group.ylabel,
                           xtics=", ".join(f"'{load['x']:,}' {load['x']}" for load in loads), lines=", ".join(lines))
    subprocess.run(["gnuplot"], input=script + "\n".join(blocks) + "\n", text=True, check=True)
