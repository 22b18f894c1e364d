/* SPDX-License-Identifier: MIT
 *
 * The lock of four bytes (src/sys/lock.h, lock.c) as a model for spin: each access of the word is a step, futex(2) compares
 * and sleeps in one, and may wake up for no reason.
 *
 * What is claimed: one at a time is inside; and when nothing moves any more, all have been.
 */
#define FREE 0
#define HELD 1
#define WANTED 2

#ifndef THREADS
#define THREADS 3
#endif
#ifndef TIMES
#define TIMES 2 /* that each takes it */
#endif

byte state = FREE, inside, done, early = 2; /* wake-ups for no reason, yet to come */
bool sleeping[THREADS];

inline wait_while_wanted()
{
#ifdef BREAK_COMPARE
    sleeping[me] = true;
#else
    atomic {
        if
        :: state == WANTED -> sleeping[me] = true
        :: else
        fi
    };
#endif
    if
    :: !sleeping[me]
    :: atomic { early > 0 && sleeping[me] -> early--; sleeping[me] = false }
    fi
}

/* fy_lock_wait(): one look stands for a hundred. */
inline wait()
{
    if
    :: state == FREE ->
        atomic {
            old = state;
            if
            :: old == FREE -> state = HELD
            :: else
            fi
        }
    :: else -> old = WANTED
    fi;
    do
    :: old == FREE -> break
    :: else ->
#ifdef BREAK_HELD
        atomic {
            old = state;
            if
            :: old == FREE -> state = HELD
            :: else -> state = WANTED
            fi
        };
#else
        atomic { old = state; state = WANTED };
#endif
        if
        :: old != FREE -> wait_while_wanted()
        :: else
        fi
    od
}

inline wake_one()
{
    atomic {
        if
        :: sleeping[0] -> sleeping[0] = false
        :: sleeping[1] -> sleeping[1] = false
        :: sleeping[THREADS - 1] -> sleeping[THREADS - 1] = false
        :: else
        fi
    }
}

proctype user(byte me)
{
    byte old, times;
    do
    :: times == TIMES -> break
    :: else ->
        atomic {
            old = state;
            if
            :: old == FREE -> state = HELD
            :: else
            fi
        };
        if
        :: old != FREE -> wait()
        :: else
        fi;
        inside++;
        assert(inside == 1);
        inside--;
#ifdef BREAK_RELEASE
        old = state;
        state = FREE;
#else
        atomic { old = state; state = FREE };
#endif
        if
        :: old == WANTED -> wake_one()
        :: else
        fi;
        old = 0;
        times++
    od;
    done++
}

init
{
    byte i;
    atomic {
        do
        :: i < THREADS -> run user(i); i++
        :: else -> break
        od
    };
    timeout ->
    assert(done == THREADS && state == FREE)
}
