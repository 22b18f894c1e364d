# SPDX-License-Identifier: MIT
"""A run as Markdown, as JSON, and as plots."""

import json
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


def ratios(load, name, metric):
    """By round, to the floor in the same round."""
    server = load["servers"][name]
    floor = load["servers"].get(server["floor"], {"rounds": []})
    mine, least = values(server, metric), values(floor, metric)
    return [mine[number] / least[number] for number in sorted(mine) if number in least]


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
    return f"{text} · **{statistics.median(found):.2f}** ({min(found):.2f}–{max(found):.2f})"


def names_of(loads):
    seen = {}
    for load in loads:
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


def judge(group, load, name, limit):
    """A line of the goals: what was measured, and whether that is within the limit."""
    metric = group.ratio or group.value
    found = ratios(load, name, metric) if group.ratio else list(values(load["servers"][name], metric).values())
    if not found:
        return None
    got = statistics.median(found)
    holds = got >= limit if group.name == "feed" else got <= limit
    sign = "≥" if group.name == "feed" else "≤"
    verdict = "holds" if holds else "**missed**"
    return row([group.heading, load["column"], name, f"{sign} {limit:g}", f"{got:,.2f}", verdict])


def goals(run):
    groups = {group.name: group for group in suite.GROUPS}
    lines = [row(["", "", "", "goal", "measured", ""]), row(["---", "---", "---", "---:", "---:", "---"])]
    for name, limit, column, who in suite.GOALS:
        for load in run["loads"]:
            if load["group"] != name or column not in ("", load["column"]):
                continue
            judged = [server for server in load["servers"] if server.startswith("ferry") and who in server]
            lines += filter(None, (judge(groups[name], load, server, limit) for server in judged))
    return lines


def heading(run):
    m = run["machine"]
    peers = ", ".join(f"{name} {m[name]}" for name in ("libuv", "libevent", "Asio", "Go", "nginx"))
    return [
        "# Benchmarks", "",
        "Made by `make bench-quick`." if run["quick"] else "Made by `make bench`.",
        f"{m['date']}; {m['processor']}, {m['cores']} cores; {m['kernel']}; load average at the start {m['load']}.",
        f"Congestion control on both ends of every connection: {m['congestion']}. {m['compiler']}. {peers}.", "",
        "The server runs on one core, the load on another. The servers take turns, round by round. A cell has the "
        "median of the rounds, then in bold the median of the ratios to the floor in the same round, and the least and "
        "the greatest of these ratios. CPU is that of the server's process, by its CPU clock.", "",
    ]


def markdown(run):
    lines = heading(run)
    for group in suite.GROUPS:
        loads = [load for load in run["loads"] if load["group"] == group.name]
        if not loads:
            continue
        lines += [f"## {group.heading}", "", group.note, ""] + table(group, loads)
        if group.more:
            lines += more_table(group, loads)
        if group.plot and len(loads) > 1:
            lines += ["", f"![{group.heading}]({plot.file_name(group)})"]
        lines.append("")
    if run["coroutines"]:
        lines += ["## Coroutines by themselves", "", "```", run["coroutines"].rstrip(), "```", ""]
    lines += ["## What ferry is held to", ""] + goals(run) + [""]
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
