# SPDX-License-Identifier: MIT
"""More clients than a server has descriptors for: scarce.py PROGRAMS EXAMPLES

Who is there is served, the others wait; a file that cannot be opened, and a connection that cannot be made, is a reset,
never the end of half an answer; and when they have gone all is as it was.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
import time

from load import MIB, STYLES, LoadServer, clients, server, wait_until

LIMIT = 64  # descriptors
CLIENTS = 150
RESTS, RUNS = 30, 1000
PAUSES = r"(.*: accepting (paused: .*|again)\n)*"
MESSAGE = b"is anybody there?"
FILE_SIZE = 1 * MIB


def limited(what, value):
    return ["prlimit", f"--{what}={value}:{value}"]


def is_answered(client):
    """Whether the message comes back; if not, the connection ends, and there was not a part of it."""
    try:
        client.sendall(MESSAGE)
        answer = client.recv(len(MESSAGE))
    except (ConnectionResetError, BrokenPipeError):
        return False
    if answer not in (b"", MESSAGE):
        raise AssertionError(f"{MESSAGE} came back as {answer}")
    return answer == MESSAGE


def brings_file(address):
    """Whether the file comes; if not, there must be a reset."""
    try:
        with clients.connect(address) as client:
            got = len(clients.read_all(client))
    except ConnectionResetError:
        return False
    if got != FILE_SIZE:
        raise AssertionError(f"an end after {got} of {FILE_SIZE} bytes")
    return True


def expect_idleness(load):
    """A server that tries again and again to accept is never found at rest; another may wait for a busy processor."""
    rests = runs = 0
    while rests < RESTS:
        if load.running():
            runs += 1
        else:
            rests += 1
        if runs > RUNS:
            raise AssertionError(f"it was running {runs} times, and {rests} times at rest, with nothing to do")
        time.sleep(0.01)


def without_descriptors(style, file):
    """Each that goes makes room for one that waits."""
    with LoadServer(file, prefix=limited("nofile", LIMIT), says=PAUSES) as load, contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(clients.connect(load.at[style]["echo"])) for _ in range(CLIENTS)]
        wait_until(lambda: load.count_descriptors() == LIMIT, "every descriptor is in use")
        expect_idleness(load)
        for client in waiting:
            assert is_answered(client)
            client.close()
        assert load.settled_report()["orderly"] == CLIENTS
    print(f"{style}: {CLIENTS} served in turn with {LIMIT} descriptors", flush=True)


def without_files(style, file):
    """With one descriptor left a client is accepted, and the file cannot be opened for it."""
    with LoadServer(file, prefix=limited("nofile", LIMIT), says=PAUSES) as load:
        assert brings_file(load.at[style]["file"])
        with contextlib.ExitStack() as stack:
            while load.count_descriptors() < LIMIT - 1:
                assert is_answered(stack.enter_context(clients.connect(load.at[style]["echo"])))
            refused = [brings_file(load.at[style]["file"]) for _ in range(CLIENTS)].count(False)
            assert refused == CLIENTS, refused
        load.wait_idle()
        assert brings_file(load.at[style]["file"])
    print(f"{style}: {refused} resets instead of a file", flush=True)


def try_connect(stack, address):
    """None if it is reset on the spot."""
    try:
        return stack.enter_context(clients.connect(address))
    except ConnectionResetError:
        return None


def without_dials(style, file, examples):
    """A relay needs two descriptors a client: with the last one it accepts some for whom it cannot connect."""
    with LoadServer(file) as target:
        relay = server.Server("relay", target.at[style]["echo"], says=r"(.*(Too many open files|accepting again)\n)*")
        relay.command = [*limited("nofile", LIMIT), os.path.join(examples, style, "relay"), *relay.command[1:]]
        with relay:
            with contextlib.ExitStack() as stack:
                waiting = [try_connect(stack, relay.address) for _ in range(CLIENTS)]
                served = 0
                for client in filter(None, waiting):
                    served += is_answered(client)
                    client.close()
            assert 0 < served < CLIENTS, served
            relay.wait_idle()
            with clients.connect(relay.address) as client:
                assert is_answered(client)
    print(f"{style}: {served} of {CLIENTS} relayed", flush=True)


def main(examples):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "file")
        file.write_bytes(bytes(FILE_SIZE))
        for style in STYLES:
            without_descriptors(style, str(file))
            without_files(style, str(file))
            without_dials(style, str(file), examples)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
