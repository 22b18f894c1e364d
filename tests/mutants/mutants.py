#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the library on purpose, one line at a time, and looks whether the test that guards the line fails:
mutants.py BUILD [PART-OF-A-NAME]

The breaks are made in a copy of the sources below BUILD. A mutant that no test kills ends it with status 1, and so does one whose
line is not there any more. Those that a test of tests/network kills need root, as that does.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds; a test that hangs fails, too
TRIES = 5  # of a test before its mutant has survived; some breaks are a race that not each run meets


class Mutant(typing.NamedTuple):
    name: str
    file: str
    line: str  # what stands there, once, maybe over several lines,
    broken: str  # and what instead
    test: str  # TARGET.CASE, TARGET being what is built for it
    backend: str = "epoll"


MUTANTS = [
    Mutant("room that comes while another thread writes is missed", "src/conn/writer.c",
           "(next == FY_BLOCKED && !out->retry)", "next == FY_BLOCKED",
           "net_send.room_that_comes_while_another_thread_writes"),
    Mutant("the FIN goes before the queue is empty", "src/conn/writer.c",
           "if (!out->first && out->ended && !out->fin_sent", "if (out->ended && !out->fin_sent",
           "net_shutdown.right_after_64_mib_to_a_tiny_window"),
    Mutant("a writable socket is not written on", "src/conn/writer.c",
           "if (c->out.role == FY_BLOCKED) {\n        fy_writer_run", "if (c->out.role == FY_IDLE) {\n        fy_writer_run",
           "net_shutdown.right_after_64_mib_to_a_tiny_window"),
    Mutant("the loop writes past the queue of a thread", "src/conn/outbox.c",
           "bool alone = c->out.role == FY_IDLE && !here;", "bool alone = !here;",
           "net_atomic.*"),
    Mutant("what a close drops is not the end of the input", "src/conn/input.c",
           "        c->deaf = true;\n", "",
           "net_uring_input.nothing_is_told_behind_what_a_close_dropped"),
    Mutant("what is left unconsumed has no limit", "src/conn/input.c",
           "if (fy_buffer_size(c->input) + len > c->driver->max_input)", "if (len > c->driver->max_input * 64)",
           "net_input.what_is_kept_has_a_limit"),
    Mutant("what was left does not come again on resuming", "src/conn/input.c",
           "bool rest_first = c->out.resumed && ", "bool rest_first = !c->out.resumed && ",
           "net_input.leftovers_come_at_once_on_resuming"),
    Mutant("a grown buffer loses what it had", "src/base/buffer.c",
           "    grown->tail = waiting;\n", "    grown->tail = waiting > 512 ? 512 : waiting;\n",
           "net_input.*"),
    Mutant("closing does not wait for the acknowledgement", "src/conn/close.c",
           "return c->out.written == 0 || fy_sys_unacked(c->source.fd) == 0;", "return true;",
           "net_close.*"),
    Mutant("lingering ends in spite of progress", "src/conn/close.c",
           "else if (fy_close_acked(c) > c->linger_mark)", "else if (fy_close_acked(c) > UINT64_MAX - 1)",
           "net_close.linger_waits_as_long_as_there_is_progress"),
    Mutant("a rate is asked for only while bytes are queued", "src/conn/watch.c",
           " || (c->closing && fy_close_acked(c) < c->out.written)", "",
           "complaints_close.a_reader_that_trickles_does_not_hold_a_close"),
    Mutant("what is acknowledged is not asked for while it is open", "src/conn/send.c",
           "    if (fy_loop_here(c->loop) && c->source.fd >= 0)\n        fy_close_acked(c);\n", "",
           "complaints_send.written_is_one_number_and_acknowledged_another"),
    Mutant("a transfer under way is taken out of the queue", "src/conn/transfer.c",
           "if (ferry_transfer_sent(t) > 0 || !fy_queue_remove(t->conn, t->segment))",
           "if (!fy_queue_remove(t->conn, t->segment))",
           "net_transfers.*"),
    Mutant("a gathered message loses its last byte", "src/conn/queue.c",
           "    last->left += len;\n", "    last->left += len - (len > 100);\n",
           "net_atomic.*"),
    Mutant("what has left is not let go", "src/conn/queue.c",
           "    while (spent) {\n", "    while (spent && spent->next) {\n",
           "net_shared.*"),
    Mutant("SIGPIPE is raised", "src/sys/sys.c",
           "int flags = MSG_DONTWAIT | MSG_NOSIGNAL |", "int flags = MSG_DONTWAIT |",
           "net_send.no_signal_where_a_thread_is_told_first"),
    Mutant("timers are early", "src/loop/timer.c",
           "while (t->count && t->heap[1].due <= now ", "while (t->count && t->heap[1].due <= now + 2000000 ",
           "unit_timers.*"),
    Mutant("the last timer of the heap is not settled", "src/loop/timer.c",
           "if (place > 1 && before(&slot, &t->heap[(place + 2) / 4]))\n        sift_up", "if (place == 0)\n        sift_up",
           "unit_timer_order.*"),
    Mutant("an idle thread counts though it is called already", "src/loop/worker.c",
           "if (w->idle <= w->waiting && ", "if (w->idle == 0 && ",
           "co_offload.jobs_that_come_at_once_run_side_by_side"),
    Mutant("who connects may be connected to himself", "src/server/dialer.c",
           "if (error == 0 && fy_sock_is_itself(source->fd))", "if (error == 1 && fy_sock_is_itself(source->fd))",
           "net_connect.nobody_is_connected_to_himself"),
    Mutant("all pages have 4 KiB", "src/co/stack.c",
           "const size_t page = fy_sys_page();", "const size_t page = 4096;",
           "co_pages.stacks_are_whole_pages_of_any_size"),
    Mutant("each post rings", "src/loop/loop.c",
           "return fy_loop_current != loop && atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false);",
           "return true;",
           "unit_posts.*"),
    Mutant("io_uring is taken though it was refused", "src/poll/choose.c",
           "if (uring.error < 0) {", "if (uring.error < -1000) {",
           "unit_backend.refused_by_the_kernel"),
    Mutant("the kernel's input is dropped during a pause", "src/poll/complete.c",
           "            hold(slot, data + told, len - told);", "            slot->inside = true;",
           "net_uring_input.more_than_the_buffers_hold_with_pauses", "uring"),
    Mutant("nobody looks for errors while something is received", "src/poll/slots.c",
           " || slot->heard || ", " || ",
           "network.cuts.reactor.uring", "uring"),
    Mutant("a receive that missed a reset stays as it is", "src/poll/complete.c",
           "        slot->afresh = true;", "        slot->afresh = false;",
           "network.cuts.reactor.uring", "uring"),
    Mutant("a slot serves another while it is armed", "src/poll/slots.c",
           "if (slot->source || slot->armed || slot->arming", "if (slot->source || slot->arming",
           "net_uring_ends.a_number_is_the_next_ones", "uring"),
    Mutant("what was accepted and not told stays open", "src/poll/uring.c",
           "if (op == ACCEPT && cqe->res >= 0)", "if (cqe->user_data == 0)",
           "net_uring_ends.a_pool_is_freed_after_some_turns", "uring"),
    Mutant("a post does not wake a foreign loop", "src/poll/uring.c",
           "if (error == 0 && p->bell >= 0)", "if (error == 0 && p->bell == 1)",
           "unit_pool.a_foreign_loop_turns_it", "uring"),
    Mutant("the end that comes during a pause is forgotten", "src/poll/complete.c",
           "    slot->end = UNTOLD;\n    if (now)", "    slot->end = now ? UNTOLD : ENDED;\n    if (now)",
           "net_uring_input.*", "uring"),
    Mutant("a buffer that is full does not go back", "src/poll/provided.c",
           "    else\n        give(b, id);", "    else if (b->count == 0)\n        give(b, id);",
           "net_uring_input.more_than_the_buffers_hold", "uring"),
    Mutant("buffers that did not suffice become no more", "src/poll/complete.c",
           "        p->buffers.scarce = true;\n", "",
           "unit_ring.it_gets_more_buffers_when_they_did_not_suffice", "uring"),
    Mutant("what is lent is given back when it is sent", "src/conn/queue.c",
           "segment->memory.loans > 0)", "segment->memory.loans > 1000)",
           "net_uring_loans.nothing_is_given_back_before_it_is_read", "uring"),
    Mutant("that the kernel copied is not heard", "src/conn/lend.c",
           "    c->out.copies |= copied;\n", "",
           "net_uring_loans.what_is_copied_all_the_same_is_lent_no_more", "uring"),
]


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def prepare(build):
    """A copy of the sources, and a folder to build it in, which may be there from before."""
    source = build / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("build", ".git"))
    done = run("cmake", "-S", source, "-B", build / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DFERRY_TESTS=ON")
    if done.returncode:
        sys.exit(done.stdout)
    return source


def passes(build, mutant):
    """Builds what the test needs and runs it."""
    done = run("cmake", "--build", build / "build", "--target", mutant.test.partition(".")[0])
    if done.returncode:
        sys.exit(f"{mutant.name}: it does not compile\n{done.stdout}")
    environment = {**os.environ, "FERRY_BACKEND": mutant.backend}
    pattern = "^" + mutant.test.replace(".", r"\.").replace("*", ".*") + "$"
    done = run("ctest", "--test-dir", build / "build", "-R", pattern, "--no-tests=error", "-j2", "--timeout", str(PATIENCE),
               "--stop-on-failure", "--repeat", f"until-fail:{TRIES}", env=environment)
    if "No tests were found" in done.stdout:
        sys.exit(f"{mutant.name}: there is no test {mutant.test}")
    return done.returncode == 0


def survives(build, source, mutant):
    path = source / mutant.file
    text = path.read_text()
    if text.count(mutant.line) != 1:
        sys.exit(f"{mutant.name}: its line is {text.count(mutant.line)} times in {mutant.file}")
    path.write_text(text.replace(mutant.line, mutant.broken))
    try:
        return passes(build, mutant)
    finally:
        path.write_text(text)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    chosen = [mutant for mutant in MUTANTS if all(part in mutant.name for part in sys.argv[2:])]
    source = prepare(build)
    alive = 0
    for mutant in chosen:
        lives = survives(build, source, mutant)
        alive += lives
        print(f"{'SURVIVES' if lives else 'killed':8}  {mutant.name}  ({mutant.file}; {mutant.test})", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed")
    sys.exit(1 if alive else 0)


main()
