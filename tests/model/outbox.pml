/* SPDX-License-Identifier: MIT
 *
 * The outbox (src/conn/outbox.c, writer.c) as a model for spin: the queue, unit by unit, the writer's role, `retry`, the
 * connection's task, the kernel's window with its edges, a backend that sends by itself, a file under TCP_CORK, the end in order and the
 * end by a failure. The names are those of the code; tests/model/run.py has the scenes.
 *
 * What is claimed, by assert():
 *   - one writer at a time, and none when the descriptor is closed;
 *   - each unit enters the kernel once, whole messages one behind the other, and a message behind all those whose calls had
 *     returned before its own began;
 *   - no lent bytes stay behind when their sender's call returns;
 *   - when nothing moves any more, all that was admitted has left, or the connection has ended: no lost edge, no lost task.
 *
 * A message is one or two units. What is done under the lock in one go is one step here; that the lock is one is lock.pml's
 * affair, and what others do meanwhile without it touches nothing that it guards, but for happened(), which may look
 * before or after. Left out: rates and cold files (they block like a full kernel, and
 * end by fy_outbox_writable(), too), limits of memory, and the FIN that is left to close(2).
 */
#define IDLE 0
#define CORKED 1
#define WRITING 2
#define BLOCKED 3

/* kinds of messages */
#define NOTHING 255 /* no message */
#define NONE 0
#define SMALL 1 /* one unit */
#define BIG 2   /* two units */
#define FILE 3  /* two units that the kernel moves, on the loop */

/* ...and of units in the queue */
#define COPIED 0
#define LENT 1
#define MOVED 2

/* what is due */
#define DUE_WRITE 1
#define DUE_END 2
#define DUE_EXPECT 4
#define DUE_STARVED 8

#ifndef ROOM
#define ROOM 2 /* units that the kernel holds for a peer that does not read */
#endif
#define TURN 2 /* units that the loop writes at a time */
#define ROUNDS 2
#define GATHER 3
#define QUEUE 8 /* units, which is more than the scenes have */

/* The loop's messages are 0 and 1, those of the two threads 2 and 3, 4 and 5. */
#ifndef KINDS
#define KINDS NONE, NONE, SMALL, BIG, BIG, SMALL
#endif
#define LEN(m) (kind[m] == SMALL -> 1 : 2)
byte kind[6] = { KINDS };

/* the outbox */
bool retry, ended, fin_sent, dead, closed, plugged, expecting;
byte role = IDLE, due, writers;
byte length, unit[QUEUE], how[QUEUE]; /* the queue: unit = 2 * message + part */
byte queued, written;
bool posted, mail; /* the task: on its way, and still in the mailbox */

/* the kernel */
byte inflight;
bool nospace, edge, armed, corked;
byte given[GATHER], count, took; /* what the writer has given it, and how much it has taken, */
bool starved, broken;            /* or why nothing */
bool sending, answered;          /* the writer is the backend: the kernel has it, has answered */

/* the loop */
bool marked, timer;

/* ghosts */
byte returned, whole, begun[6], open = 255, done, i, m;
byte faults = FAULTS, spurious = SPURIOUS;

/* Where a thread is: what it does next under the lock, until it has to leave it. */
#define DRAIN 0
#define CHECK 1
#define GIVE 2
#define GIVE_ON 3
#define GIVE_UP 4
/* ...and without it. */
#define OUT 5
#define CALL 5   /* in the kernel with the front of the queue */
#define KEEP 6   /* copying what was lent */
#define UNPLUG 7 /* taking TCP_CORK off */
#define FIN 8    /* shutdown(2) */
#define COPY 9   /* copying a big message */
#define DONE 10

#define LOCALS byte at = DONE, next, lim, msg, w; bool here, hurry, held, admitted, called

inline mark(what)
{
    due = due | (what);
    if
    :: here -> marked = true
    :: !here && !posted -> posted = true; mail = true
    :: else
    fi
}

/* The kernel takes what there is room for of `count` units. */
inline take_in()
{
    took = (count < ROOM - inflight -> count : ROOM - inflight);
    nospace = nospace || took < count;
    do
    :: i < took ->
        m = given[i] / 2;
        assert((whole & (1 << m)) == 0);
        if
        :: given[i] % 2 == 0 ->
            assert(open == 255);
            assert((begun[m] & ~whole) == 0);
            begun[m] = 0
        :: else -> assert(open == m)
        fi;
        if
        :: given[i] % 2 == LEN(m) - 1 -> open = 255; whole = whole | (1 << m)
        :: else -> open = m
        fi;
        i++
    :: else -> break
    od;
    inflight = inflight + took;
    i = 0;
    m = 0
}

/* fy_queue_advance() */
inline pop()
{
    do
    :: i < took -> assert(unit[i] == given[i]); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < QUEUE ->
        if
        :: i + took < length -> unit[i] = unit[i + took]; how[i] = how[i + took]
        :: else -> unit[i] = 0; how[i] = 0
        fi;
        i++
    :: else -> break
    od;
    length = length - took;
    written = written + took;
    i = 0
}

inline purge()
{
    do
    :: i < length -> unit[i] = 0; how[i] = 0; i++
    :: else -> break
    od;
    length = 0;
    i = 0;
    role = IDLE
}

inline push(way)
{
    do
    :: i < LEN(msg) -> unit[length] = 2 * msg + i; how[length] = way; length++; i++
    :: else -> break
    od;
    queued = queued + LEN(msg);
    admitted = true;
    i = 0
}

inline fail_locked()
{
    if
    :: !dead ->
        dead = true;
        if
        :: role != WRITING -> purge()
        :: else
        fi;
        mark(DUE_END)
    :: else
    fi
}

inline arm()
{
    if
    :: !armed && !closed ->
        armed = true;
        if
        :: inflight < ROOM -> edge = true
        :: else -> nospace = true
        fi
    :: else
    fi
}

inline clear()
{
    do
    :: i < GATHER -> given[i] = 0; i++
    :: else -> break
    od;
    i = 0;
    count = 0;
    took = 0;
    starved = false;
    broken = false
}

/* answered(): the kernel took `took` of `count` units, or none for lack of memory, or the connection is broken. */
inline digest()
{
    if
    :: broken -> fail_locked(); next = WRITING
    :: starved -> mark(DUE_STARVED); next = BLOCKED
    :: else ->
        next = (took < count -> BLOCKED : WRITING);
        pop()
    fi;
    clear()
}

/* step() up to the system call: looks up what to give it. */
inline gather()
{
    do
    :: count < length && count < GATHER && count < lim && (how[count] == MOVED) == (how[0] == MOVED) ->
        given[count] = unit[count];
        count++
    :: else -> break
    od;
    plugged = plugged || how[0] == MOVED;
#ifndef BREAK_RETRY_CLEARED_LATE
    retry = false;
#endif
    writers++;
    assert(writers == 1);
    at = CALL
}

/* Whether units of this sender's own memory are in the queue. */
inline look_for_lent()
{
    held = false;
    do
    :: i < length -> held = held || (how[i] == LENT && unit[i] / 2 == msg); i++
    :: else -> break
    od;
    i = 0
}

inline expect_room()
{
    if
    :: !expecting ->
        expecting = true;
        if
        :: here -> arm()
        :: else -> mark(DUE_EXPECT)
        fi
    :: else
    fi
}

inline give_up()
{
    if
    :: dead -> purge(); mark(DUE_END)
    :: else ->
        role = next;
        if
        :: next == CORKED -> mark(DUE_WRITE)
        :: next == BLOCKED -> expect_room()
        :: else
        fi
    fi;
    lim = 0;
    next = 0;
    at = DONE
}

/* What the writer does under the lock, until it has to leave it: drain() and give_way(). */
inline go_on()
{
    do
    :: at == DRAIN ->
        if
        :: length == 0 || dead -> next = IDLE; at = GIVE
        :: length > 0 && !dead && (lim == 0 || (how[0] == MOVED && !here)) -> next = CORKED; at = CHECK
        :: else -> gather()
        fi
    :: at == CHECK ->
        look_for_lent();
        if
#ifndef BREAK_KEEP
        :: held && next != WRITING && !dead -> at = KEEP
        :: else ->
#else
        :: true ->
#endif
#ifdef BREAK_RETRY
            at = (next == CORKED || next == BLOCKED -> GIVE : DRAIN)
#else
            at = (next == CORKED || (next == BLOCKED && !retry) -> GIVE : DRAIN)
#endif
        fi;
        held = false
    :: at == GIVE ->
        at = (length == 0 && plugged && !ended && !dead -> UNPLUG : GIVE_ON);
        plugged = plugged && at != UNPLUG
    :: at == GIVE_ON -> at = (length == 0 && ended && !fin_sent && !dead -> FIN : GIVE_UP)
    :: at == GIVE_UP -> give_up()
    :: at >= OUT -> break
    od;
    assert(writers <= 1)
}

/* The caller has the lock, and becomes the writer. */
inline writer_run(most)
{
    role = WRITING;
    lim = most;
    at = DRAIN
}

/* What a call of the kernel's may say besides. */
inline call()
{
    if
    :: faults > 0 -> faults--; starved = true
    :: faults > 0 -> faults--; broken = true
    :: true -> d_step { take_in() }
    fi;
    d_step { corked = corked || plugged; assert(!closed) }
}

/* Has the lock again. */
inline back()
{
    if
    :: at == CALL ->
#ifdef BREAK_RETRY_CLEARED_LATE
        retry = false;
#endif
        writers--;
        lim = lim - took;
        digest();
        at = CHECK
    :: at == KEEP ->
        do
        :: i < length -> how[i] = (how[i] == LENT -> COPIED : how[i]); i++
        :: else -> break
        od;
        i = 0;
        at = CHECK
    :: at == UNPLUG ->
#ifndef BREAK_UNPLUG
        next = (length > 0 -> CORKED : next);
#endif
        at = GIVE_ON
    :: at == FIN -> plugged = false; fin_sent = true; at = GIVE_UP
    :: at == COPY -> put(COPIED)
    fi
}

/* One step of a writer: what it is out of the lock for, and what it does when it has the lock again. */
inline walk()
{
    if
    :: at == CALL -> atomic { call() }
    :: at == UNPLUG -> corked = false
    :: at == FIN -> d_step { assert(!closed && open == 255); corked = false }
    :: at == KEEP || at == COPY
    fi;
    d_step { back(); go_on(); returns() }
}

inline cork()
{
    if
    :: role == IDLE -> role = CORKED; mark(DUE_WRITE)
    :: else
    fi;
    at = DONE
}

/* fy_outbox_put() */
inline put(way)
{
    if
    :: dead || ended -> at = DONE
    :: else ->
        push(way);
        if
        :: role == IDLE && way != MOVED && !here && !hurry -> writer_run(LEN(msg))
        :: else -> cork()
        fi
    fi
}

/* fy_outbox_send(), and a file's way. `held`: the loop has had its share of the turn. */
inline send()
{
    begun[msg] = returned;
#ifndef BREAK_ROLE
    held = held || role == WRITING || role == BLOCKED;
#endif
    if
    :: kind[msg] == FILE -> put(MOVED)
    :: kind[msg] != FILE && (dead || ended) -> at = DONE
    :: kind[msg] == BIG && !dead && !ended && held -> at = COPY
    :: (kind[msg] == BIG && !dead && !ended && !held) ||
       (kind[msg] == SMALL && !dead && !ended && role == IDLE && !here && !hurry) ->
        push(LENT);
        writer_run(queued - written)
    :: else -> push(COPIED); cork()
    fi;
    held = false
}

/* The call returns, if it does. */
inline returns()
{
    if
    :: at == DONE && called ->
        look_for_lent();
        assert(!held);
        if
        :: admitted -> returned = returned | (1 << msg)
        :: else -> begun[msg] = 0
        fi;
        admitted = false;
        hurry = false
    :: else
    fi
}

/* A message of one's own. All that the call may meet is chosen first. */
inline send_next()
{
    atomic {
        if
        :: !here -> hurry = true
        :: here -> held = true
        :: true
        fi;
        d_step { send(); go_on(); returns() }
    }
}

inline to_next()
{
    do
    :: msg < last && kind[msg] == NONE -> msg++
    :: else -> break
    od;
    called = false
}

/* fy_outbox_end() */
inline shut()
{
    if
    :: !dead && !ended -> ended = true; cork()
    :: else
    fi
}

proctype thread(byte first)
{
    LOCALS;
    byte last = first + 2;
    d_step { msg = first; to_next() };
    do
    :: at != DONE -> walk()
    :: at == DONE && msg < last && !called -> called = true; send_next()
    :: at == DONE && msg < last && called -> d_step { msg++; to_next() }
    :: at == DONE && msg == last -> break
    od;
#ifdef SHUT
    if
    :: first == 2 -> d_step { shut() }
    :: else
    fi;
#endif
    done++
}

proctype aborter()
{
    bool here;
    d_step { fail_locked() }
}

/* Reads; the kernel tells of room, once, if it had been found missing. */
proctype peer()
{
end:
    do
    :: d_step { inflight > 0 -> inflight--; edge = edge || (nospace && armed); nospace = false }
    od
}

/* The backend's piece, which the kernel sends when it likes. */
proctype backend()
{
end:
    do
    :: d_step { sending -> assert(!closed); take_in(); sending = false; answered = true }
    od
}

/* The loop. */

/* fy_outbox_write() */
inline write_due()
{
    if
#ifdef RING
    :: role == CORKED && length > 0 && length <= 2 && !ended && !plugged && how[0] != MOVED && how[length - 1] != MOVED ->
        do
        :: count < length -> given[count] = unit[count]; count++
        :: else -> break
        od;
        role = WRITING;
        retry = false;
        writers++;
        assert(writers == 1);
        sending = true
#endif
    :: role == CORKED -> writer_run(TURN)
    :: role != CORKED
    fi
}

/* fy_outbox_sent(): a part is no sign of a full kernel here. */
inline is_sent()
{
    answered = false;
    writers--;
    count = (took > 0 -> took : count);
    digest();
    next = (next == WRITING || retry -> (length > 0 -> CORKED : IDLE) : next);
    at = GIVE
}

/* fy_outbox_writable() */
inline writable()
{
    if
    :: role == BLOCKED -> writer_run(TURN)
#ifndef BREAK_RETRY_UNNOTED
    :: role == WRITING -> retry = true
#endif
    :: else
    fi
}

inline end_it()
{
    if
#ifdef BREAK_END
    :: !closed ->
#else
    :: !closed && role != WRITING ->
#endif
        assert(writers == 0);
        closed = true;
        armed = false;
        edge = false;
        nospace = false;
        timer = false
    :: else
    fi
}

/* take_due() */
inline take_due()
{
    marked = false;
    rounds++;
    posted = posted && !arrived;
    arrived = false;
    mine = due;
    due = 0;
    if
    :: mine & DUE_WRITE -> write_due()
    :: else
    fi
}

/* The rest of settle(). */
inline settle()
{
    if
    :: mine & DUE_END -> end_it()
    :: else ->
        if
        :: mine & DUE_EXPECT -> arm()
        :: else
        fi;
        timer = timer || ((mine & DUE_STARVED) && !closed)
    fi;
    mine = 0
}

/* fy_conn_leave(), at its end */
inline leave()
{
    mail = mail || (marked && due != 0 && !posted);
    posted = posted || mail;
    marked = false;
    rounds = 0;
    entered = false
}

#define IDLING (at == DONE && !entered && !looked)

proctype loop()
{
    LOCALS;
    byte mine, rounds, last = 2;
    bool arrived, looked, entered, settling;
    d_step { here = true; to_next() };
end:
    do
    :: at != DONE -> walk()
    /* fy_conn_leave() */
    :: at == DONE && entered && !called && settling -> d_step { settle(); settling = false }
    :: at == DONE && entered && !called && !settling && marked && rounds < ROUNDS ->
        d_step { take_due(); go_on(); settling = true }
    :: at == DONE && entered && !called && !settling && !(marked && rounds < ROUNDS) -> d_step { leave() }
    :: at == DONE && called -> d_step { msg++; to_next() }
    /* happened(), for FY_WRITABLE: has looked without the lock at what is written, and now at what is queued. */
    :: d_step { looked && queued > w -> looked = false; w = 0; entered = true; writable(); go_on() }
    :: d_step { looked && queued <= w -> looked = false; w = 0 }
    /* and what makes it enter */
    :: d_step { IDLING && mail -> mail = false; arrived = true; marked = true; entered = true }
    :: d_step { IDLING && edge && inflight == ROOM -> edge = false; nospace = true }
    :: d_step { IDLING && edge && inflight < ROOM -> edge = false; w = written; looked = true }
    :: d_step { IDLING && spurious > 0 && armed && inflight < ROOM -> spurious--; w = written; looked = true }
    :: d_step { IDLING && timer -> timer = false; entered = true; writable(); go_on() }
    :: d_step { IDLING && answered -> entered = true; is_sent(); go_on() }
    :: IDLING && msg < last -> entered = true; called = true; send_next()
    od
}

init
{
    atomic {
        run peer();
        run loop();
        run thread(2);
        run thread(4);
#ifdef RING
        run backend();
#else
        armed = true; /* epoll has it from the beginning */
        edge = true;
#endif
#ifdef ABORT
        run aborter()
#endif
    };
    timeout ->
    assert(done == 2 && writers == 0 && length == 0 && role == IDLE && !mail && !posted);
    assert(closed == dead);
    assert(dead || (whole == returned && queued == written && !corked && fin_sent == ended))
}
