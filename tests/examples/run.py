# SPDX-License-Identifier: MIT
"""Tests the example programs of one directory over real sockets: run.py DIRECTORY CASE...

Every style of the examples has the same names, flags and bytes on the wire, so one script tests them all: it is given
the directory of the style. FERRY_LAUNCHER is a command to run the programs under, such as valgrind's; FERRY_TEST_SLOW
says that the build is an instrumented one, whose memory is not to be judged.
"""

import sys
import unittest

import chat
import chat_clients
import downloads
import file_latency
import flags
import idle
import pingpong
import relay
import roundtrip
import server
import services
import slow_readers
import sudoku

CASES = {
    "flags": flags.Flags,
    "echo": services.Echo,
    "discard": services.Discard,
    "chargen": services.Chargen,
    "chat": chat.Chat,
    "chat_client": chat_clients.Client,
    "chat_load": chat_clients.Load,
    "daytime": services.Daytime,
    "time": services.Time,
    "download_whole": downloads.Whole,
    "download_chunk": downloads.Chunk,
    "download_shared": downloads.Shared,
    "download_zerocopy": downloads.Zerocopy,
    "pingpong": pingpong.Pingpong,
    "pingpong_client": pingpong.PingpongClient,
    "roundtrip": roundtrip.Roundtrip,
    "roundtrip_client": roundtrip.RoundtripClient,
    "idle": idle.Idle,
    "idle_client": idle.IdleClient,
    "file_latency": file_latency.FileLatency,
    "file_latency_client": file_latency.FileLatencyClient,
    "sudoku": sudoku.Sudoku,
    "sudoku_workers": sudoku.SudokuWorkers,
    "relay": relay.Relay,
    "relay_by_copy": relay.RelayByCopy,
    "relay_big": relay.RelayBig,
    "slow_readers": slow_readers.SlowReaders,
}


def main(arguments):
    names = arguments[1:]
    if not names or any(name not in CASES for name in names):
        print(f"usage: run.py DIRECTORY CASE...\ncases: {' '.join(CASES)}", file=sys.stderr)
        return 2
    server.directory = arguments[0]
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(CASES[name]) for name in names)
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
