# SPDX-License-Identifier: MIT
#
# gdb: what a program that uses ferry is doing, live or from a core file. The library must have debugging information.
#
#   (gdb) source ferry.py
#   (gdb) ferry loops         each loop, what it is at, what it has counted
#   (gdb) ferry conns         each connection: state, bytes that wait
#   (gdb) ferry coroutines    each coroutine: name, where it waits, and its backtrace
#
# The layout of a parked context is that of src/co/switch_PROCESSOR.S.

import gdb
import gdb.unwinder

WORD = 8


def entries(head, type_name, member):
    """The objects of an intrusive list (src/base/list.h), given its head."""
    kind = gdb.lookup_type(type_name)
    offset = next(field.bitpos // 8 for field in kind.fields() if field.name == member)
    node = head["next"]
    while node != head.address:
        yield (int(node) - offset, gdb.Value(int(node) - offset).cast(kind.pointer()).dereference())
        node = node["next"]


def atomic(value):
    """The number in an _Atomic of any width."""
    return int(value)


def loops():
    pools = gdb.lookup_global_symbol("fy_pools")
    if pools is None:
        raise gdb.GdbError("ferry is not in this program, or has no debugging information")
    for _, pool in entries(pools.value(), "struct ferry_pool", "link"):
        for i in range(int(pool["size"])):
            yield (pool["loops"] + i).dereference()


def text(pointer):
    return pointer.string() if int(pointer) else None


def symbol(address):
    """The name of a function, or its address."""
    block = gdb.block_for_pc(int(address))
    return block.function.name if block and block.function else hex(int(address))


def name_of(co):
    return text(co["name"]) or symbol(co["fn"])


class ParkedFrame(gdb.unwinder.Unwinder):
    """Shows the frames of a parked coroutine as the callers of the thread's innermost frame."""

    LAYOUTS = {
        "i386:x86-64": {
            "registers": ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip"),
            "at": 1,
            "size": 8,
            "sp": "rsp",
            "pc": "rip",
        },
        "aarch64": {
            "registers": ("x29", "pc", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28"),
            "at": 0,
            "size": 22,
            "sp": "sp",
            "pc": "pc",
        },
    }

    def __init__(self):
        super().__init__("ferry parked coroutine")
        self.context = None
        self.innermost = None

    def __call__(self, frame):
        layout = self.LAYOUTS.get(frame.architecture().name())
        if self.context is None or layout is None:
            return None
        sp = frame.read_register(layout["sp"])
        if int(sp) != self.innermost:
            return None
        word = gdb.lookup_type("unsigned long")
        # Its own stack address is set below the context: frames must lie one above the other, or gdb takes them for corrupt.
        below = gdb.Value(self.context).cast(word)
        info = frame.create_unwind_info(FrameId(below, frame.read_register(layout["pc"])))
        saved = gdb.Value(self.context).cast(word.pointer())
        for i, register in enumerate(layout["registers"]):
            info.add_saved_register(register, (saved + layout["at"] + i).dereference())
        info.add_saved_register(layout["sp"], gdb.Value(self.context + layout["size"] * WORD).cast(word))
        return info

    def backtrace(self, context):
        """The lines of gdb's own backtrace of a parked context."""
        frame = gdb.newest_frame()
        layout = self.LAYOUTS[frame.architecture().name()]
        self.innermost = int(frame.read_register(layout["sp"]))
        self.context = context
        gdb.invalidate_cached_frames()
        try:
            return gdb.execute("backtrace 16", to_string=True).splitlines()[1:]
        finally:
            self.context = None
            gdb.invalidate_cached_frames()


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


parked = ParkedFrame()
gdb.unwinder.register_unwinder(None, parked, replace=True)


class Ferry(gdb.Command):
    """Looks at ferry: ferry loops, ferry conns, ferry coroutines."""

    def __init__(self):
        super().__init__("ferry", gdb.COMMAND_STATUS, prefix=True)


class Loops(gdb.Command):
    """Each loop: what it is at, connections, coroutines, counters."""

    def __init__(self):
        super().__init__("ferry loops", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for loop in loops():
            counters = loop["counters"]
            doing = text(loop["doing"]) or "waiting"
            stopping = ", stopping" if loop["stopping"] else ""
            print(
                f"loop {int(loop['index'])}: {doing}{stopping}, {int(counters['conns'])} connections, "
                f"{int(loop['cos']['count'])} coroutines, {int(loop['timers']['count'])} timers, "
                f"turns {int(counters['turns'])}, events {int(counters['events'])}, posts {atomic(loop['posts'])}"
            )


class Conns(gdb.Command):
    """Each connection: its descriptor, state, and the bytes that wait."""

    def __init__(self):
        super().__init__("ferry conns", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for loop in loops():
            print(f"loop {int(loop['index'])}:")
            for address, conn in entries(loop["conns"], "struct ferry_conn", "link"):
                out = conn["out"]
                pending = atomic(out["queued"]) - atomic(out["written"])
                role = str(gdb.Value(int(out["role"])).cast(gdb.lookup_type("enum fy_role")))
                state = "closing" if conn["closing"] else "peer ended" if conn["eof"] else "open"
                print(
                    f"  {address:#x} fd {int(conn['source']['fd'])} {state}, {role.removeprefix('FY_').lower()}, "
                    f"received {atomic(conn['received'])}, written {atomic(out['written'])}, pending {pending}"
                )


class Coroutines(gdb.Command):
    """Each coroutine: its name, where it waits, and its backtrace."""

    def __init__(self):
        super().__init__("ferry coroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for loop in loops():
            print(f"loop {int(loop['index'])}:")
            for address, co in entries(loop["cos"]["all"], "struct fy_co", "link"):
                self.show(address, co, loop)

    @staticmethod
    def show(address, co, loop):
        state = str(co["state"]).removeprefix("FY_CO_").lower()
        line = f"  {address:#x} {name_of(co)} {state}"
        if state == "parked":
            on = f" on {int(co['what']):#x}" if int(co["what"]) else ""
            seconds = (int(loop["now"]) - int(co["since"])) / 1e9
            line += f" in {text(co['why'])}{on} for {seconds:.3f} s"
        print(line)
        if state == "parked" and int(co["sp"]):
            for frame in parked.backtrace(int(co["sp"])):
                print("    " + frame)


Ferry()
Loops()
Conns()
Coroutines()
