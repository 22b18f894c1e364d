# SPDX-License-Identifier: MIT
"""Servers and clients that do what they should not."""

import contextlib
import socket
import struct
import threading

from program import FAIL_SAFE_S


def reset(peer):
    """Closes with a reset instead of FIN."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def end(peer):
    """Closes in order, and waits for the other side to do so, too."""
    with contextlib.suppress(OSError):  # the other side may have reset it meanwhile: that is its end, too
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass


def say(peer, words):
    """Sends as much as goes without waiting; says how much."""
    said = 0
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while said < len(words):
            said += peer.send(words[said:])
    peer.settimeout(FAIL_SAFE_S)
    return said


@contextlib.contextmanager
def server(answer):
    """A server on its own thread; `answer(peer, index)` treats each connection. Gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def treat(peer, index):
        peer.settimeout(FAIL_SAFE_S)
        with peer, contextlib.suppress(ConnectionError):
            answer(peer, index)

    def accept():
        with contextlib.suppress(OSError):
            index = 0
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=treat, args=(peer, index), daemon=True).start()
                index += 1

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield "%s:%d" % listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(FAIL_SAFE_S)
        listener.close()


@contextlib.contextmanager
def refusing_address():
    """An address nobody listens on: it is bound, so that no other test can get it meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "%s:%d" % bound.getsockname()
