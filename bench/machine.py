# SPDX-License-Identifier: MIT
"""What a run was made on: machine, kernel, versions, congestion control."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import time


def ask(*command):
    """The first line that a command prints, or "missing"."""
    path = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not path:
        return "missing"
    done = subprocess.run([path, *command[1:]], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else "missing"


def congestion():
    """Of both ends of a connection, as they are used here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as one, listener.accept()[0] as other:
            names = {end.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).split(b"\0")[0].decode()
                     for end in (one, other)}
    return " and ".join(sorted(names))


def asio():
    header = pathlib.Path("/usr/include/asio/version.hpp")
    match = header.is_file() and re.search(r"// ASIO_VERSION.*?#define ASIO_VERSION (\d+)", header.read_text(), re.S)
    return f"{int(match[1]) // 100000}.{int(match[1]) // 100 % 1000}.{int(match[1]) % 100}" if match else "missing"


def describe():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": cpu[1] if cpu else os.uname().machine,
        "cores": os.cpu_count(),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "load": f"{os.getloadavg()[0]:.2f}",
        "congestion": congestion(),
        "compiler": ask("cc", "--version"),
        "libuv": ask("pkg-config", "--modversion", "libuv"),
        "liburing": ask("pkg-config", "--modversion", "liburing"),
        "libevent": ask("pkg-config", "--modversion", "libevent"),
        "Asio": asio(),
        "Go": ask("go", "version"),
        "nginx": ask("nginx", "-v").replace("nginx version: ", ""),
    }
