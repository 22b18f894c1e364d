/* SPDX-License-Identifier: MIT
 *
 * Waking a loop, as a model for spin: the mailbox (src/base/mailbox.h), the sleep that a post ends (src/loop/loop.c), the
 * connection's task with its mark and ring (src/conn/conn.c), and the end of the connection and of its loop.
 *
 * What is claimed, by assert():
 *   - a letter is in the box once, and is run once, those of one thread in their order;
 *   - nobody rings a loop that has ended, nor does a connection end while somebody is the writer;
 *   - one thread at most takes it upon itself to end a sleep;
 *   - when nothing moves any more, all posts have run, and the connection has ended: nothing was slept over;
 *   - and that comes: nothing goes round for ever (which is looked for where the connection ends).
 *
 * Each access of a word that is shared without a lock is a step. The one that is relaxed (`asleep` set to false by the loop,
 * awake) may reach the others' view late.
 */
#ifndef THREADS
#define THREADS 2 /* that have a reference to the connection: one makes something due, one has it fail */
#endif
#define NOBODY 255
#define TASK 0 /* the letter that is the connection's; the others are posts */
#ifndef POSTERS
#define POSTERS 2
#endif
#ifndef POSTS
#define POSTS 2 /* of each */
#endif
#define LETTERS (POSTERS * POSTS + 1)

/* the mailbox */
byte newest = NOBODY, next[LETTERS];

/* the loop */
bool asleep = true, waking, bell, gone;

/* the connection */
bool locked, posted, dead, closed = THREADS == 0, due_end, due_write, writing;
byte ringing;

/* ghosts */
bool boxed[LETTERS];
byte posters = POSTERS, threads = THREADS, rings;
bool ran[LETTERS];

/* fy_mailbox_put() */
inline put(which)
{
    assert(!boxed[which]);
    old = newest;
    do
    :: next[which] = old;
       atomic {
        if
        :: newest == old -> newest = which; boxed[which] = true; break
        :: else -> old = newest
        fi
       }
    od;
    old = 0
}

/* fy_loop_put(): whether it has to be rung. */
inline loop_put(which)
{
    assert(!gone);
#ifdef BREAK_LOOK_BEFORE_POST
    must = asleep;
    put(which);
#else
    put(which);
    must = asleep;
#endif
    assert(!gone);
    if
    :: must ->
        atomic {
            must = asleep;
#ifndef BREAK_EACH_RINGS
            asleep = false;
#endif
            rings = rings + must;
            assert(rings <= 1)
        }
    :: else
    fi
}

inline ring()
{
    atomic { assert(!gone); bell = true }
}

/* A thread that posts, and stays until the loop has ended, as the user has to see to. */
proctype poster(byte first)
{
    byte old, letter;
    bool must;
    do
    :: letter < POSTS ->
        loop_put(first + letter);
        if
        :: must -> ring()
        :: else
        fi;
        letter++
    :: else -> break
    od;
    posters--
}

/* fy_conn_mark(), on another thread */
inline mark(due)
{
    due = true;
    if
    :: !posted ->
        posted = true;
        loop_put(TASK);
        if
        :: must -> must = false; bell_due = true
        :: else
        fi
    :: else
    fi
}

/* fy_conn_unlock() */
inline conn_unlock()
{
    do
#ifndef BREAK_RING_IN_VAIN
    :: bell_due && dead -> bell_due = false; ring(); break
    :: bell_due && !dead ->
#else
    :: bell_due ->
#endif
        bell_due = false;
#ifndef BREAK_RINGING
        ringing++;
#endif
        locked = false;
        ring();
        atomic { !locked -> locked = true };
#ifndef BREAK_RINGING
        ringing--;
#endif
#ifndef BREAK_END_NOT_MARKED
        if
        :: dead -> mark(due_end)
        :: else
        fi
#endif
    :: else -> break
    od;
    locked = false
}

/* A thread that makes something due, maybe as the writer. */
proctype sender()
{
    byte old;
    bool must, bell_due;
    atomic { !locked -> locked = true };
    if
    :: !dead -> mark(due_write) /* a pause, for example */
    :: !dead ->
        mark(due_write);
        atomic { writing = true; must = bell_due; bell_due = false; locked = false };
        if
        :: must -> must = false; ring()
        :: else
        fi;
        assert(!closed);
        atomic { !locked -> locked = true; writing = false };
        if
        :: dead -> mark(due_end)
        :: else
        fi
    :: else
    fi;
    conn_unlock();
    threads--
}

/* A thread by which the connection fails. */
proctype aborter()
{
    byte old;
    bool must, bell_due;
    atomic { !locked -> locked = true };
    if
    :: !dead -> dead = true; mark(due_end)
    :: else
    fi;
    conn_unlock();
    threads--
}

/* The connection's task: take_due(), then end(). */
inline run_task()
{
    atomic { !locked -> locked = true; posted = false; ends = due_end; due_end = false; due_write = false; locked = false };
    if
    :: ends ->
        ends = false;
        atomic {
            !locked ->
            if
            :: !closed && !writing && ringing == 0 -> closed = true
            :: else
            fi
        }
    :: else
    fi
}

/* fy_loop_settle() */
inline settle()
{
    atomic { letter = newest; newest = NOBODY };
    oldest = NOBODY;
    d_step {
        do
        :: letter != NOBODY -> after = next[letter]; next[letter] = oldest; oldest = letter; letter = after
        :: else -> break
        od;
        after = 0
    };
    do
    :: oldest != NOBODY ->
        d_step {
            letter = oldest;
            oldest = next[letter];
            boxed[letter] = false;
            next[letter] = 0
        };
        if
        :: letter == TASK -> run_task()
        :: else ->
            d_step {
                assert(!ran[letter]);
                assert((letter - 1) % POSTS == 0 || ran[letter - 1]);
                ran[letter] = true
            }
        fi
    :: else -> break
    od;
    letter = 0;
    oldest = 0
}

/* fy_loop_turn(), until the connection has closed and nothing is posted. */
proctype loop()
{
    byte letter, oldest, after;
    bool idle, ends;
    do
    :: closed && newest == NOBODY && posters == 0 -> gone = true; break
    :: else ->
#ifdef BREAK_LOOK_BEFORE_SLEEP
        idle = newest == NOBODY;
        atomic { waking = false; asleep = true; rings = 0 };
#else
        atomic { waking = false; asleep = true; rings = 0 };
        idle = newest == NOBODY;
#endif
        if
        :: idle ->
end:        bell
        :: else
        fi;
        atomic { idle = false; bell = false; waking = true };
        settle()
    od
}

/* Brings the relaxed store to everybody's view. */
proctype memory()
{
end:
    do
    :: atomic { waking -> waking = false; asleep = false }
    od
}

init
{
    byte i;
    atomic {
        run loop();
        run memory();
        do
        :: i < POSTERS -> run poster(1 + i * POSTS); i++
        :: else -> break
        od;
#if THREADS
        run sender();
        run aborter()
#endif
    };
    timeout ->
    assert(newest == NOBODY && posters == 0 && (LETTERS == 1 || ran[LETTERS - 1]));
    assert(closed && threads == 0 && !locked && !writing && ringing == 0)
}
