# SPDX-License-Identifier: MIT
"""A member of a chat, with a codec of its own: 4 bytes of length, big-endian, and that many bytes."""

import socket
import struct

import clients

LONGEST = 65_536


def frame(body):
    return struct.pack(">I", len(body)) + body


class Member:
    """A context: when it is left, the connection is closed."""

    def __init__(self, address, receive_buffer=None):
        self.socket = clients.connect(address, receive_buffer)
        self.input = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.input.close()
        self.socket.close()

    def reset(self):
        self.input.close()
        clients.reset(self.socket)

    def name(self):
        """As the server calls it."""
        host, port = self.socket.getsockname()[:2]
        return f"{host}:{port}"

    def say(self, *bodies):
        self.socket.sendall(b"".join(map(frame, bodies)))

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)

    def hear(self):
        """The next message; None = FIN."""
        header = self.input.read(4)
        if not header:
            return None
        (length,) = struct.unpack(">I", header)
        body = self.input.read(length)
        if len(body) < length:
            raise AssertionError(f"FIN after {len(body)} of a message's {length} bytes")
        return body

    def hear_until(self, last):
        """All messages before that one."""
        heard = []
        while (body := self.hear()) != last:
            if body is None:
                raise AssertionError(f"FIN after {len(heard)} messages, before {last!r}")
            heard.append(body)
        return heard

    def hear_all(self):
        """All messages up to FIN."""
        return list(iter(self.hear, None))

    def enter(self):
        """Returns when it is in the room: what it says is heard."""
        word = b"enter " + self.name().encode()
        self.say(word)
        self.hear_until(word)
        return self


def enter_all(address, count, receive_buffer=None):
    """So many members, all of them in the room, with nothing left to hear."""
    members = [Member(address, receive_buffer).enter() for _ in range(count)]
    members[0].say(b"all are here")
    for member in members:
        member.hear_until(b"all are here")
    return members


def close_all(members):
    for member in members:
        member.close()
