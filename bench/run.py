#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benchmarks: run.py [--quick] [--only GROUP] [--out DIRECTORY] BUILD

For each load the servers take turns, round by round and each time in another order, under the same load generator: the server on the first core, the
load on the second. A server's ratio is taken to the floor's in the same round, because a machine's speed drifts between
rounds. All of it runs in a network namespace of its own, whose loopback route says `congctl cubic`: then both ends of
every connection use cubic, whoever wrote them, and nothing of the machine is changed. Nothing else should run at the
same time.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import machine
import report
import suite

INSIDE = "FERRY_BENCH_NAMESPACE"
START_TIMEOUT, LOAD_TIMEOUT = 20, 120

NGINX = """
user root; daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_timeout 0;
    client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
    server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""


class Failed(Exception):
    """A server or a load has not done what it should."""


class Missing(Exception):
    """A server cannot be had on this machine."""


def enter_namespace():
    """Starts this program again in a network namespace, where that is allowed."""
    if INSIDE in os.environ or not shutil.which("unshare"):
        return
    unshare = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run(unshare + ["true"], capture_output=True, check=False).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", unshare + [sys.executable] + sys.argv)


def set_up_network():
    if INSIDE not in os.environ:
        return
    route = "dev lo table local proto kernel scope host src 127.0.0.1 congctl cubic"
    routes = [f"route replace local {to} {route}" for to in ("127.0.0.1", "127.0.0.0/8")]
    for command in ["link set lo up"] + routes:
        subprocess.run(["ip"] + command.split(), capture_output=True, check=False)
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("1024 65535", encoding="ascii")


class Running:
    """A server that was started, pinned to its core."""

    def __init__(self, server, core, workdir, file):
        self.server = server
        argv = [str(file) if word == "FILE" else word for word in server.argv]
        port = None
        if server.is_nginx:
            port = free_port()
            argv += ["-p", str(workdir), "-c", str(write_nginx(workdir, port, file))]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=os.environ | server.environment,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        self.pid = self.process.pid
        self.port = port or self.read_port()
        if server.is_nginx:
            wait_for(port)

    def read_port(self):
        said = self.process.stdout.readline()
        match = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", said)
        if not match:
            self.stop()
            why = Missing if self.server.may_be_missing else Failed
            raise why(f"{self.server.name} did not say where it listens")
        return int(match[1])

    def peak(self):
        """The most memory it ever had, in bytes; counted anew after each look."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        if not found:
            raise Failed(f"the server has ended, status {self.process.wait()}")
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")
        return int(found[1]) * 1024

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port):
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise Failed("nginx does not listen") from None
            time.sleep(0.02)


def write_nginx(workdir, port, file):
    path = workdir / "nginx.conf"
    path.write_text(NGINX.format(port=port, root=file.parent), encoding="utf-8")
    return path


def make_file(workdir, size):
    """Of random bytes, all of it in the page cache and on the disk."""
    path = workdir / f"file-{size}"
    if not path.exists():
        piece = os.urandom(1 << 20)
        with open(path, "wb") as out:
            for _ in range(size >> 20):
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
    return path


def measure(argv, core):
    """What a program prints about its one measurement."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LOAD_TIMEOUT,
                              preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    except subprocess.TimeoutExpired:
        raise Failed(f"did not end within {LOAD_TIMEOUT} seconds") from None
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"exit status {done.returncode}")
    return json.loads(done.stdout)


def metrics(load, got, peak):
    """By the names that suite.GROUPS knows them by."""
    if load.kind == "timers":
        return got
    if load.kind == "idle":
        return {"bytes": got["bytes"] / got["units"]}
    found = {"cpu": got["cpu"] / got["units"] * 1e6, "rate": got["units"] / got["seconds"] / 1e6, "peak": peak / 1e6}
    found["cpu_ns"] = found["cpu"] * 1e3
    if load.kind == "download":
        found.update(cpu=found["cpu"] / 1e3, throughput=got["units"] / got["seconds"])
    if load.kind == "latency":
        found.update({name: got[name] for name in ("p50", "p99", "p999", "max")})
        found["bulk"] = got["bulk"] / got["seconds"] / 1e6
    return found


class Bench:
    """One run: where the programs are, which cores, how long."""

    def __init__(self, build, cores, quick):
        self.build, self.cores, self.quick = build, cores, quick

    def turn(self, load, server, running):
        if load.kind == "timers":
            return metrics(load, measure(server.argv + [str(load.params["count"])], self.cores[0]), 0)
        values = dict(load.params, seconds=load.seconds / 2 if self.quick else load.seconds)
        if server.is_nginx:
            values["request"] = f"GET /file-{load.params['bytes']} HTTP/1.0\r\n\r\n"
        running.peak()
        got = measure([f"{self.build}/bench/load/load", load.kind, str(running.port), str(running.pid)] +
                      [f"{name}={value}" for name, value in values.items()], self.cores[1])
        return metrics(load, got, running.peak())

    def play(self, load, servers, start, running):
        """All rounds of a load: by server that is there, what each round gave, or why it gave nothing more."""
        found = {server.name: {"floor": server.floor, "beside": server.beside, "rounds": []} for server in servers}
        for number in range(max(3, load.rounds // 4) if self.quick else load.rounds):
            for server in random.Random(number).sample(servers, len(servers)):
                mine = found.get(server.name)
                if not mine or "failed" in mine:
                    continue
                try:
                    if load.kind != "timers" and server.name not in running:
                        running[server.name] = start(server)
                    mine["rounds"].append({"round": number, **self.turn(load, server, running.get(server.name))})
                except Missing:
                    del found[server.name]
                except Failed as why:
                    mine["failed"] = str(why)
        return found

    def run(self, load, workdir):
        servers, missing = suite.servers(self.build, load.role)
        file = make_file(workdir, load.params["bytes"]) if load.kind == "download" else None
        running = {}
        try:
            found = self.play(load, servers, lambda server: Running(server, self.cores[0], workdir, file), running)
            missing += [server.name for server in servers if server.name not in found]
            return {"servers": found, "missing": missing}
        finally:
            for one in running.values():
                one.stop()
            if file:
                file.unlink()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer loads, fewer rounds, shorter")
    names = [group.name for group in suite.GROUPS]
    parser.add_argument("--only", metavar="GROUP", help="one group of loads: " + ", ".join(names))
    parser.add_argument("--out", metavar="DIRECTORY", type=pathlib.Path, help="also write tables, JSON and plots there")
    parser.add_argument("build", metavar="BUILD", type=pathlib.Path)
    options = parser.parse_args()
    if options.only and options.only not in names:
        parser.error(f"no such group: {options.only}")
    if not (options.build / "bench/load/load").is_file():
        parser.error(f"{options.build} has no load generator: build it first")
    return options


def main():
    options = parse()
    enter_namespace()
    set_up_network()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("bench: it takes two cores, one for the server and one for the load")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped, and the file is removed
    bench = Bench(options.build.resolve(), cores, options.quick)
    loads = [load for load in suite.loads()
             if (load.quick or not options.quick) and options.only in (None, load.group)]
    run = {"machine": machine.describe(), "quick": options.quick, "loads": [], "coroutines": ""}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=bench.build) as workdir:
        for number, load in enumerate(loads, 1):
            took = time.monotonic() - began
            print(f"[{number}/{len(loads)}] {load.title} ({took:.0f} s)", file=sys.stderr, flush=True)
            run["loads"].append({"group": load.group, "column": load.column, "x": load.x,
                                 **bench.run(load, pathlib.Path(workdir))})
    if options.only is None:
        done = subprocess.run([bench.build / "bench/coroutines"], stdout=subprocess.PIPE, text=True, check=True)
        run["coroutines"] = done.stdout
    run["seconds"] = time.monotonic() - began
    print(report.markdown(run))
    if options.out:
        report.write(run, options.out)
    return 1 if report.failures(run) else 0


if __name__ == "__main__":
    sys.exit(main())
