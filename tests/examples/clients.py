# SPDX-License-Identifier: MIT
"""Clients: plain, slow and rude ones on Python's sockets, and the standard ones of a Unix machine."""

import hashlib
import re
import select
import selectors
import signal
import socket
import struct
import subprocess

from server import FAIL_SAFE_S


def split(address):
    """The host and port of an Internet address."""
    host, port = re.fullmatch(r"\[?(.*?)\]?:(\d+)", address).groups()
    return host, int(port)


def connect(address, receive_buffer=None):
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        client = socket.socket(socket.AF_UNIX)
        target = "\0" + path[1:] if path.startswith("@") else path
    else:
        target = split(address)
        client = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
    client.settimeout(FAIL_SAFE_S)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(target)
    return client


def is_refused(address):
    """Whether nobody listens there any more. Who stands in a listener's queue when that is closed is reset."""
    try:
        connect(address).close()
        return False
    except ConnectionResetError:
        return False
    except ConnectionRefusedError:
        return True


def read_all(client, step=1 << 16):
    """Everything up to FIN; a reset raises ConnectionResetError."""
    parts = []
    while part := client.recv(step):
        parts.append(part)
    return b"".join(parts)


def read_exactly(client, size, step=1 << 16):
    data = bytearray()
    while len(data) < size:
        part = client.recv(min(size - len(data), step))
        if not part:
            raise AssertionError(f"FIN after {len(data)} of {size} bytes")
        data += part
    return bytes(data)


def read_digests(clients):
    """The digests of what each of many clients reads up to FIN, all reading at the same time."""
    digests = {client: hashlib.sha256() for client in clients}
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            events = selector.select(FAIL_SAFE_S)
            if not events:
                raise AssertionError("no client gets anything any more")
            for key, _ in events:
                part = key.fileobj.recv(1 << 16)
                digests[key.fileobj].update(part)
                if not part:
                    selector.unregister(key.fileobj)
    return [digests[client].hexdigest() for client in clients]


def ask(address, request=b""):
    """Sends a request, half-closes, and returns everything that comes."""
    with connect(address) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def reset(client):
    """Closes with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def wait_cut(client):
    """Waits for a reset without reading, which might be what keeps the server from it."""
    poll = select.poll()
    poll.register(client, 0)
    if not poll.poll(1000 * FAIL_SAFE_S):
        raise AssertionError("never reset")


def run_client(*command, request=b""):
    """A program of the system that connects, sends its stdin, and prints what comes."""
    done = subprocess.run(command, input=request, stdout=subprocess.PIPE, timeout=FAIL_SAFE_S, check=True)
    return done.stdout


def nc(address, *flags, request=b""):
    host, port = split(address)
    return run_client("nc", *flags, host, str(port), request=request)


def socat(address, *flags, request=b""):
    """With its default of half a second from one end to the other a busy machine would lose the answer."""
    return run_client("socat", "-t60", *flags, f"TCP:{address}", "-", request=request)


def curl_telnet(address):
    return run_client("curl", "-sS", f"telnet://{address}")


def curl_http(address):
    return run_client("curl", "-sS", "--http0.9", f"http://{address}/")


def kill_client(server):
    """A client that sends for ever, of which nobody reads what it gets, is killed in the middle of it."""
    host, port = split(server.address)
    with open("/dev/zero", "rb") as zero, subprocess.Popen(
        ["nc", host, str(port)], stdin=zero, stdout=subprocess.PIPE
    ) as client:
        server.wait_busy(connections=1)
        client.send_signal(signal.SIGKILL)
