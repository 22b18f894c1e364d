#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/gdb/ferry.py on a live server and on its core file: test_gdb.py ECHO FERRY_PY.

ECHO is an echo server in the coroutine style, with debugging information. The core is the kernel's own (SIGQUIT), in a
temporary directory.
"""
import glob
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

COMMANDS = ["ferry loops", "ferry conns", "ferry coroutines"]


def gdb(script, *target):
    arguments = ["gdb", "-q", "-nx", "-batch", *target, "-ex", f"source {script}"]
    for command in COMMANDS:
        arguments += ["-ex", command]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def check(where, output, clients):
    """What must be there: the loop, every connection, every coroutine with the frames from its call to its beginning."""
    wanted = {
        "loop 0: waiting": 1,
        f"{clients} connections, {clients} coroutines": 1,
        " open, idle, received 5, written 5, pending 0": clients,
        " parked in ferry_peek on 0x": clients,
        " fy_co_park (": clients,
        " in echo (": clients,
        " in first () at ": clients,
    }
    for text, count in wanted.items():
        if output.count(text) != count:
            raise SystemExit(f"test_gdb.py: {where}: {text!r} stands {output.count(text)} times, not {count}, in\n{output}")
    if "corrupt stack" in output:
        raise SystemExit(f"test_gdb.py: {where}: a backtrace broke off, in\n{output}")


def say_hello(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"hello")
    back = b""
    while len(back) < 5:
        back += client.recv(5)
    return client


def wait_asleep(server):
    """Until it has nothing to do: the last client has its bytes a moment before, and a debugger that leaves wakes it up."""
    state = None
    while state != "S":
        time.sleep(0.01)
        with open(f"/proc/{server.pid}/stat", encoding="utf-8") as stat:
            state = stat.read().rpartition(")")[2].split()[0]


def main(echo, script):
    echo, script = os.path.abspath(echo), os.path.abspath(script)
    with tempfile.TemporaryDirectory() as place:
        server = subprocess.Popen(
            [echo, "--listen", "127.0.0.1:0"],
            cwd=place,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2),
        )
        try:
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            clients = [say_hello(port) for _ in range(3)]
            wait_asleep(server)
            check("live", gdb(script, "-p", str(server.pid)), len(clients))
            wait_asleep(server)
            server.send_signal(signal.SIGQUIT)
            server.wait()
            cores = glob.glob(os.path.join(place, "core*"))
            if not cores:
                raise SystemExit("test_gdb.py: the kernel wrote no core file here: see /proc/sys/kernel/core_pattern")
            check("core", gdb(script, echo, cores[0]), len(clients))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
