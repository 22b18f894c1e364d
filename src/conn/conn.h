/* SPDX-License-Identifier: MIT
 *
 * conn: the connection. Its two halves are the outbox (any thread, under its lock) and the rest (its loop's thread).
 *
 * The life of a connection, and who moves it:
 *
 *     NEW --fy_conn_open--> OPEN --ferry_close, or both sides have finished--> CLOSING --> CLOSED
 *                             |                                                  ^
 *                             +-- fy_conn_fail: reset, timeout, limit, abort ----+ (at once)
 *
 * and within OPEN and CLOSING the two directions end one by one: `eof` (the peer's FIN has been read), `fin_sent` (all
 * that was queued has left, and our FIN after it). An error makes it `dead`: the queue is dropped, on any thread, and the
 * loop closes it at its next chance. CLOSED comes once, on the loop, with the observer's `close`.
 *
 * Nothing is called back from inside a call: what a call or an event makes due is marked (FY_DUE_*) and settled by the
 * loop, when the callback it happened in returns, or as a task.
 */
#ifndef FY_CONN_CONN_H
#define FY_CONN_CONN_H

#include "base/buffer.h"
#include "conn/outbox.h"
#include "loop/loop.h"

/* What a style of driving implements. All on the loop's thread, never two at once for a connection. */
struct fy_observer {
    void (*soon)(const ferry_conn *); /* an event comes next: fetch what it will need; may be NULL */
    void (*open)(ferry_conn *);
    size_t (*data)(ferry_conn *, const void *data, size_t len); /* returns bytes consumed */
    void (*eof)(ferry_conn *);
    void (*closing)(ferry_conn *); /* ferry_close() has begun: no more data and no eof will come; may be NULL */
    void (*drain)(ferry_conn *);
    void (*high)(ferry_conn *, size_t pending);
    void (*low)(ferry_conn *, size_t pending);
    void (*close)(ferry_conn *, int reason); /* also lets go of what `tag` means */
};

/* Memory that many connections may fill together. */
struct fy_budget {
    atomic_size_t used;
    size_t limit;
};

/* Somebody who waits for something to become due once; on the stack of whoever waits. */
struct fy_waiter {
    struct fy_waiter *next;
    unsigned due; /* FY_DUE_LOW or FY_DUE_DRAIN; the end of the connection ends every wait */
    void (*wake)(struct fy_waiter *);
};

/* Who drives a connection and within which limits; shared by many, and outlives them. */
struct fy_driver {
    const struct fy_observer *observer;
    struct fy_budget *budget; /* NULL = no limit */
    size_t high_water, low_water;
    size_t max_pending; /* 0 = no limit */
    size_t max_input;
    uint64_t idle_ns, linger_ns; /* idle: 0 = off */
    uint64_t min_rate;           /* bytes/s; 0 = off */
    size_t extra;       /* bytes behind each connection, zeroed: the observer's own; then watch.c's, with min_rate */
    unsigned told;      /* the FY_DUE_* that the observer has an ear for */
    bool drop_overflow; /* instead of closing */
};

/* What the loop has to do for a connection. */
enum {
    FY_DUE_WRITE = 1 << 0,
    FY_DUE_SPENT = 1 << 1,    /* segments to let go of */
    FY_DUE_PROGRESS = 1 << 2, /* a transfer got on */
    FY_DUE_HIGH = 1 << 3,
    FY_DUE_LOW = 1 << 4,
    FY_DUE_DRAIN = 1 << 5,
    FY_DUE_READ = 1 << 6,     /* paused or resumed */
    FY_DUE_CLOSE = 1 << 7,    /* ferry_close() was called */
    FY_DUE_FIN = 1 << 8,      /* our FIN is out */
    FY_DUE_END = 1 << 9,      /* dead: close it */
    FY_DUE_STARVED = 1 << 10, /* the kernel has no memory to send with: try again soon */
    FY_DUE_EXPECT = 1 << 11,  /* the backend is to tell when there is room */
    FY_DUE_ALWAYS = ~(FY_DUE_HIGH | FY_DUE_LOW | FY_DUE_DRAIN) & 0xffff
};

/* What every message touches comes first, so that it fills few cache lines; then what opening, waiting and closing take.
 * What has no other word is the loop's thread's. */
struct ferry_conn {
    struct fy_source source;
    ferry_loop *loop;
    const struct fy_driver *driver;
    atomic_int error;
    unsigned short feeders; /* connections that are flowing into it */
    bool entered : 1;       /* inside an event or callback of it: what becomes due is settled when that returns */
    bool marked : 1;        /* something has become due since it was entered, or last settled */
    bool arrived : 1;       /* its task runs: it may be posted again */
    bool giving : 1;        /* inside the observer's data */
    bool deaf : 1;          /* what the observer left was dropped: it is told nothing that would come behind it */
    bool in_transit : 1;    /* something of it is on its way in the outbox of `forward` */
    bool flowing : 1;       /* there may be more to forward */
    bool opened : 1;
    bool eof : 1;     /* the peer's FIN has been read */
    bool fin_out : 1; /* our FIN is out: the loop's copy of out.fin_sent */
    bool closing : 1;
    bool starved : 1;        /* the timer is to try a send again */
    bool unwanted : 1;       /* the observer does not want input now: it has something else under way */
    struct fy_buffer *input; /* bytes the observer left unconsumed */
    ferry_conn *forward;     /* a reference: where the input goes instead of to the observer; or NULL */
    atomic_uint_fast64_t received;
    atomic_uint_fast64_t active; /* when bytes last moved */
    void *_Atomic context;
    struct fy_outbox out; /* any thread, under its lock */

    atomic_uint refs;      /* any thread */
    unsigned char verdict; /* ferry_verdict */
    struct fy_task task;
    struct fy_waiter *waiters; /* first come, first served */
    void (*release_context)(void *context);
    void *tag;           /* the server's: what this connection counts against */
    struct fy_list link; /* in loop->conns, then in loop->dead */
    struct fy_timer timer;
    atomic_uint_fast64_t acked;         /* bytes the peer has acknowledged, when last asked */
    uint64_t linger_since, linger_mark; /* since when closing got nowhere, and `acked` then */
};

/* What one connection may write in one turn of the loop, in bytes copied; four times that where the kernel moves them. */
enum { FY_TURN_BYTES = 512 * 1024 };

/* conn.c: birth, settling, end. */

/* A connection without a socket, with one reference, to be the loop's. Any thread. NULL = ENOMEM. */
ferry_conn *fy_conn_new(ferry_loop *loop, const struct fy_driver *driver, void *tag);

/* The loop takes it on. From here on it ends with the observer's close; but one that nobody has heard of may be detached,
 * which frees it, and leaves the socket to the caller. */
void fy_conn_attach(ferry_conn *conn);
void fy_conn_detach(ferry_conn *conn);

/* Gives it its socket, watches that if it is not watched yet, and calls open. -errno: nothing has changed. */
int fy_conn_open(ferry_conn *conn, int fd);

void fy_conn_enter(ferry_conn *conn);
void fy_conn_leave(ferry_conn *conn); /* settles what has become due */

/* The lock is held: something is due; sees to it that the loop comes by. Whoever may be another thread gives the lock back
 * by fy_conn_unlock(). */
void fy_conn_mark(ferry_conn *conn, unsigned due);

/* Rings the loop, if that has to be done, when the lock is free: rung before, it would wake up only to wait for the lock. */
void fy_conn_ring(ferry_conn *conn);

static inline void fy_conn_unlock(ferry_conn *conn)
{
    if (conn->out.bell)
        fy_conn_ring(conn);
    fy_unlock(&conn->out.lock);
}

/* Ends it: at once, with the reason. Any thread; the `locked` one with the lock held. */
void fy_conn_fail(ferry_conn *conn, int reason);
void fy_conn_fail_locked(ferry_conn *conn, int reason);

/* Waits, or waits no more. The loop's thread. */
void fy_conn_wait(ferry_conn *conn, struct fy_waiter *waiter);
void fy_conn_unwait(ferry_conn *conn, struct fy_waiter *waiter);

/* The pool is stopping: closes it unless it has something under way. */
void fy_conn_retire(ferry_conn *conn);
void fy_conn_bury(struct fy_list *dead);

/* close.c: the orderly end. */
void fy_close_begin(ferry_conn *conn);
void fy_close_fin_sent(ferry_conn *conn);
void fy_close_check(ferry_conn *conn);     /* ends it when both directions are done and acknowledged */
void fy_close_linger(ferry_conn *conn);    /* linger_ms may have passed */
uint64_t fy_close_acked(ferry_conn *conn); /* asks the kernel */

/* input.c */
void fy_input_arrived(ferry_conn *conn, const void *data, ssize_t n);
void fy_input_want(ferry_conn *conn, bool wanted); /* whether the observer wants input now; at first it does */
void fy_input_settle(ferry_conn *conn);            /* after a pause, a resume, an open or a close */
void fy_input_doubted(ferry_conn *conn);           /* an end that was in doubt may be none any more */

/* forward.c */
void fy_forward_readable(ferry_conn *from);                            /* there may be something to receive */
void fy_forward_bytes(ferry_conn *from, const void *data, size_t len); /* these were received as ever */
void fy_forward_rest(ferry_conn *from);                                /* sends on what had been received before */
void fy_forward_end(ferry_conn *from);                                 /* it closes */
void fy_forward_left(const struct fy_segment *segment);                /* a pipe's, which has left or was dropped */

/* watch.c: the time limits. */
void fy_watch(ferry_conn *conn); /* arms the timer for what may happen next */
extern void fy_watch_fire(struct fy_timer *timer);
size_t fy_watch_extra(const struct fy_driver *driver); /* bytes it needs behind each connection */

/* file.c: sends a piece of the range at the front of the outbox, at most `most` bytes. The caller is the writer, on the
 * loop. -EAGAIN also when the range is cold, or ahead of its rate: fy_outbox_writable() will be called. */
ssize_t fy_file_send(ferry_conn *conn, struct fy_segment *segment, uint64_t most);

/* `len`, or what FERRY_TO_END means for this file now. */
uint64_t fy_file_length(const ferry_file *file, uint64_t offset, uint64_t len);

#endif
