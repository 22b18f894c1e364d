# SPDX-License-Identifier: MIT
"""A run as Markdown, as JSON, and as plots."""

import json
import math
import shutil
import statistics
import sys

import plot
import suite

DIGITS = {"us": 2, "ms/GiB": 0, "M/s": 2, "bytes": 0, "ns": 1}
MORE = {"cpu_ns": "CPU, ns", "peak": "peak MB", "throughput": "GiB/s", "p50": "p50, us", "p99": "p99, us",
        "p999": "p99.9, us", "max": "max, us", "bulk": "bulk, MB/s",
        "arm": "arm, ns", "cancel": "cancel, ns", "cold": "cold, ns"}


def values(server, metric):
    return {one["round"]: one[metric] for one in server["rounds"]}


def ratios(load, name, metric, to=""):
    """By round, to one of those beside it in the same round, or to the floor."""
    server = load["servers"][name]
    other = load["servers"].get(server["beside"].get(to) if to else server["floor"], {"rounds": []})
    mine, theirs = values(server, metric), values(other, metric)
    return [mine[number] / theirs[number] for number in sorted(mine) if number in theirs]


def interval(found):
    """Where the median of ever more rounds would be, with 95 % confidence: by the binomial distribution, whatever that of
    the rounds. With seven or fewer it is from the least to the greatest."""
    cut = max(0, int((len(found) - 1.96 * math.sqrt(len(found))) / 2))
    ordered = sorted(found)
    return ordered[cut], ordered[-1 - cut]


def spread(found):
    low, high = interval(found)
    return f"**{statistics.median(found):.2f}** ({low:.2f}–{high:.2f})"


def cell(group, load, name):
    server = load["servers"].get(name)
    if not server:
        return "missing" if name in load["missing"] else ""
    if "failed" in server:
        return "failed"
    text = f"{statistics.median(values(server, group.value).values()):,.{DIGITS[group.unit]}f}"
    found = ratios(load, name, group.ratio) if group.ratio else []
    if not found or server["floor"] == name:
        return text
    return f"{text} · {spread(found)}"


def names_of(loads):
    """In the order of the load that has most of them."""
    seen = {}
    for load in sorted(loads, key=lambda load: -len(load["servers"])):
        seen.update(dict.fromkeys(list(load["servers"]) + load["missing"]))
    return list(seen)


def row(cells):
    return "| " + " | ".join(cells) + " |"


def table(group, loads):
    lines = [row([group.unit] + [load["column"] for load in loads]), row(["---"] + ["---:"] * len(loads))]
    lines += [row([name] + [cell(group, load, name) for load in loads]) for name in names_of(loads)]
    return lines


def more_table(group, loads):
    """Further metrics: a column for each load and metric."""
    columns = [(load, metric) for load in loads for metric in group.more]
    single = len(loads) == 1
    heads = [MORE[metric] if single else f"{load['column']}: {MORE[metric]}" for load, metric in columns]
    lines = ["", row([""] + heads), row(["---"] + ["---:"] * len(columns))]
    for name in names_of(loads):
        cells = []
        for load, metric in columns:
            server = load["servers"].get(name, {"rounds": []})
            found = values(server, metric).values()
            cells.append(f"{statistics.median(found):,.1f}" if found else "")
        lines.append(row([name] + cells))
    return lines


def beside_table(group, loads):
    """How servers compare with others than the floor: a row for each two of them."""
    lines = ["", row(["ratio to another"] + [load["column"] for load in loads]), row(["---"] + ["---:"] * len(loads))]
    head = len(lines)
    for name in names_of(loads):
        beside = dict.fromkeys(to for load in loads for to in load["servers"].get(name, {"beside": {}})["beside"])
        for to in beside if group.ratio else ():
            found = [ratios(load, name, group.ratio, to) if name in load["servers"] else [] for load in loads]
            if any(found):
                lines.append(row([f"{name}, to {to}"] + [spread(one) if one else "" for one in found]))
    return lines if len(lines) > head else []


def judge(group, goal, load, name):
    """A line of the goals: what was measured, and whether that is within the limit."""
    metric = group.ratio or group.value
    found = ratios(load, name, metric, goal.to) if group.ratio else list(values(load["servers"][name], metric).values())
    if not found:
        return None
    got, (low, high) = statistics.median(found), interval(found)
    if group.name == "feed":
        sign, holds, misses = "≥", got >= goal.limit, high < goal.limit
    else:
        sign, holds, misses = "≤", got <= goal.limit, low > goal.limit
    verdict = "holds" if holds else "**missed**" if misses else "open"
    who = f"{name}, to {goal.to}" if goal.to else name
    return row([group.heading, load["column"], who, f"{sign} {goal.limit:g}", f"{got:,.2f}", verdict])


def goals(run):
    groups = {group.name: group for group in suite.GROUPS}
    lines = [row(["", "", "", "goal", "measured", ""]), row(["---", "---", "---", "---:", "---:", "---"])]
    for goal in suite.GOALS:
        for load in run["loads"]:
            if load["group"] != goal.group or goal.column not in ("", load["column"]):
                continue
            judged = [server for server in load["servers"] if server.startswith("ferry") and goal.who in server]
            lines += filter(None, (judge(groups[goal.group], goal, load, server) for server in judged))
    return lines


def heading(run):
    m = run["machine"]
    peers = ", ".join(f"{name} {m[name]}" for name in ("libuv", "libevent", "Asio", "Go", "nginx", "liburing"))
    return [
        "# Benchmarks", "",
        "Made by `make bench-quick`." if run["quick"] else "Made by `make bench`.",
        f"{m['date']}; {m['processor']}, {m['cores']} cores; {m['kernel']}; load average at the start {m['load']}.",
        f"Congestion control on both ends of every connection: {m['congestion']}. {m['compiler']}. {peers}.", "",
        "The server runs on one core, the load on another. The servers take turns, round by round. A cell has the "
        "median of the rounds, then in bold the median of the ratios to the floor in the same round, and the interval "
        "in which that lies with 95 % confidence. CPU is that of the server's process, by its CPU clock. ferry runs with each of "
        "its backends; with io_uring it is also compared with a bare io_uring server and with itself by epoll.", "",
    ]


def markdown(run):
    lines = heading(run)
    for group in suite.GROUPS:
        loads = [load for load in run["loads"] if load["group"] == group.name]
        if not loads:
            continue
        lines += [f"## {group.heading}", "", group.note, ""] + table(group, loads) + beside_table(group, loads)
        if group.more:
            lines += more_table(group, loads)
        if group.plot and len(loads) > 1:
            lines += ["", f"![{group.heading}]({plot.file_name(group)})"]
        lines.append("")
    if run["coroutines"]:
        lines += ["## Coroutines by themselves", "", "```", run["coroutines"].rstrip(), "```", ""]
    lines += ["## What ferry is held to", "", "Open: the median is beyond the goal, but the goal within its interval.", ""] + goals(run) + [""]
    for failure in failures(run):
        lines += [f"Failed: {failure}", ""]
    return "\n".join(lines)


def failures(run):
    return [f"{load['group']}, {load['column']}: {name}: {server['failed']}"
            for load in run["loads"] for name, server in load["servers"].items() if "failed" in server]


def write(run, out):
    out.mkdir(parents=True, exist_ok=True)
    (out / "README.md").write_text(markdown(run), encoding="utf-8")
    (out / "results.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    if not shutil.which("gnuplot"):
        print("bench: no plots: gnuplot is missing (Debian: gnuplot-nox)", file=sys.stderr)
        return
    for group in suite.GROUPS:
        loads = [load for load in run["loads"] if load["group"] == group.name and load["x"]]
        if group.plot and len(loads) > 1:
            plot.draw(group, loads, out)
