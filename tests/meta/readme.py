#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# The servers that the README shows are compiled, run and talked to: readme.py README CC INCLUDE LIBFERRY.
# Only its address is changed, to a socket file of our own, so that the test needs no port.

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time


def connect(path, server):
    for _ in range(600):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client
        except OSError:
            client.close()
            if server.poll() is not None:
                break
            time.sleep(0.05)
    raise SystemExit("readme.py: the server does not answer")


def echoed(client, data):
    def send():
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    threading.Thread(target=send).start()
    back = bytearray()
    while piece := client.recv(1 << 16):
        back += piece
    return bytes(back)


def try_server(program, compile_to):
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "socket")
        binary = os.path.join(place, "server")
        source = program.replace("127.0.0.1:2007", "unix:" + path)
        subprocess.run([*compile_to, binary], input=source, text=True, check=True)
        server = subprocess.Popen([binary])
        try:
            data = os.urandom(1 << 20)
            if echoed(connect(path, server), data) != data:
                raise SystemExit("readme.py: the echo is not what was sent")
        finally:
            server.kill()
            server.wait()


def main(readme, compiler, include, library):
    with open(readme, encoding="utf-8") as text:
        programs = re.findall(r"^```c\n(.*?)^```", text.read(), re.S | re.M)
    if len(programs) != 2:
        raise SystemExit(f"readme.py: {readme} shows {len(programs)} programs; one in each style was expected")
    compile_to = [compiler, "-std=gnu11", "-Wall", "-Werror", "-I", include, "-x", "c", "-", "-x", "none", library]
    for program in programs:
        try_server(program, [*compile_to, "-pthread", "-o"])


if __name__ == "__main__":
    main(*sys.argv[1:])
