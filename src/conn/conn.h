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
#include "conn/segment.h"
#include "loop/loop.h"

#include <ferry/conn.h>
#include <pthread.h>
#include <stdatomic.h>

/* What a style of driving implements. All on the loop's thread, never two at once for a connection. */
struct fy_observer {
    void (*open)(ferry_conn *);
    size_t (*data)(ferry_conn *, const void *data, size_t len); /* returns bytes consumed */
    void (*eof)(ferry_conn *);
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

/* Who drives a connection and within which limits; shared by many, and outlives them. */
struct fy_driver {
    const struct fy_observer *observer;
    struct fy_budget *budget; /* NULL = no limit */
    size_t high_water, low_water;
    size_t max_pending; /* 0 = no limit */
    size_t max_input;
    uint64_t idle_ns, linger_ns; /* idle: 0 = off */
    uint64_t min_rate;           /* bytes/s; 0 = off */
    unsigned told;               /* the FY_DUE_* that the observer has an ear for */
    bool drop_overflow;          /* instead of closing */
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
    FY_DUE_ALWAYS = ~(FY_DUE_HIGH | FY_DUE_LOW | FY_DUE_DRAIN) & 0xffff
};

/* Who may write, decided under the lock. Whoever finds the outbox IDLE (or CORKED) may make itself the writer. */
enum fy_role {
    FY_IDLE,    /* the queue is empty */
    FY_CORKED,  /* the queue is not empty, and the loop is due to write it */
    FY_WRITING, /* one thread is in the kernel with the front of the queue */
    FY_BLOCKED  /* the kernel, a cold file or a rate holds the queue back; an event will wake the loop for it */
};

struct fy_outbox {
    pthread_mutex_t lock;
    struct fy_segment *first, *last;
    struct fy_segment *spent;             /* left or dropped, to be let go of by the loop; last in, first out */
    atomic_uint_fast64_t queued, written; /* bytes; stored under the lock, loaded anywhere */
    size_t memory;                        /* bytes of it that occupy memory of ours */
    uint64_t dropped;                     /* bytes refused */
    uint64_t last_write;                  /* nanoseconds of fy_now_ns(), about */
    unsigned drops;                       /* calls refused */
    int drop_reason;
    unsigned short due; /* FY_DUE_* */
    unsigned char role; /* enum fy_role */
    bool posted : 1;    /* the connection's task is on its way */
    bool retry : 1;     /* the kernel had room again while somebody was writing */
    bool ended : 1;     /* nothing more may be queued: a FIN stands behind the queue */
    bool fin_sent : 1;
    bool dead : 1;      /* the queue is dropped; error says why */
    bool above : 1;     /* above high_water, or below again and not told yet */
    bool undrained : 1; /* something was queued since the last on_drain */
    bool paused : 1;
    bool resumed : 1; /* left-over input is to be delivered again */
    bool close_asked : 1;
    bool closed; /* the loop has let go of the connection; set by the loop, which may read it without the lock */
};

struct ferry_conn {
    struct fy_source source;
    ferry_loop *loop;
    const struct fy_driver *driver;
    void *tag; /* the server's: what this connection counts against */
    atomic_uint refs;
    atomic_int error;
    struct fy_outbox out;

    /* the loop's thread */
    struct fy_list link; /* in loop->conns, then in loop->dead */
    struct fy_task task;
    struct fy_timer timer;
    struct fy_buffer *input; /* bytes the observer left unconsumed */
    atomic_uint_fast64_t received;
    atomic_uint_fast64_t acked;         /* bytes the peer has acknowledged, when last asked */
    atomic_uint_fast64_t active;        /* when bytes last moved */
    uint64_t rate_since, rate_mark;     /* the window of min_rate: its start, and `acked` at it */
    uint64_t linger_since, linger_mark; /* the same for linger_ms */
    bool entered; /* inside an event or callback of it: what becomes due is settled when that returns */
    bool opened;
    bool eof;     /* the peer's FIN has been read */
    bool fin_out; /* our FIN is out: the loop's copy of out.fin_sent */
    bool closing;
    bool starved;          /* the timer is to try a send again */
    bool busy;             /* ferry_conn_set_busy() */
    unsigned char verdict; /* ferry_verdict */

    void *_Atomic context;
    void (*release_context)(void *context);
};

enum {
    FY_TURN_BYTES = 512 * 1024, /* what one connection may write in one turn of the loop */
    FY_BLOCK = 4096             /* a chunk, its header included, as kept warm by the loop */
};

/* conn.c: birth, settling, end. */

/* A connection without a socket, with one reference, to be the loop's. Any thread. NULL = ENOMEM. */
ferry_conn *fy_conn_new(ferry_loop *loop, const struct fy_driver *driver, void *tag);

/* The loop takes it on. From here on it ends with the observer's close... */
void fy_conn_attach(ferry_conn *conn);
void fy_conn_detach(
    ferry_conn *conn); /* ...unless nobody has heard of it: frees it, and leaves the socket to the caller */

/* Gives it its socket, watches that if it is not watched yet, and calls open. -errno: nothing has changed. */
int fy_conn_open(ferry_conn *conn, int fd);

void fy_conn_enter(ferry_conn *conn);
void fy_conn_leave(ferry_conn *conn); /* settles what has become due */

/* The lock is held: something is due; sees to it that the loop comes by. */
void fy_conn_mark(ferry_conn *conn, unsigned due);

/* Ends it: at once, with the reason. Any thread; the `locked` one with the lock held. */
void fy_conn_fail(ferry_conn *conn, int reason);
void fy_conn_fail_locked(ferry_conn *conn, int reason);

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
void fy_input_settle(ferry_conn *conn); /* after a pause, a resume, an open or a close */

/* watch.c: the time limits. */
void fy_watch(ferry_conn *conn); /* arms the timer for what may happen next */
extern void fy_watch_fire(struct fy_timer *timer);

/* outbox.c */
void fy_outbox_init(struct fy_outbox *out);
void fy_outbox_send(ferry_conn *conn, const struct iovec *iov, int count, size_t len);
int fy_outbox_put(ferry_conn *conn, struct fy_segment *segment);      /* -errno: refused; still the caller's */
void fy_outbox_discard(ferry_conn *conn, struct fy_segment *segment); /* lets go of a refused one */
void fy_outbox_end(ferry_conn *conn, bool close);                     /* shutdown, or close */
void fy_outbox_write(ferry_conn *conn);                               /* loop: it is due */
void fy_outbox_writable(ferry_conn *conn);                            /* loop: what it was blocked by is over */
void fy_outbox_let_go(ferry_conn *conn);                              /* loop: of the spent */
void fy_outbox_purge(ferry_conn *conn);                               /* lock held: drops the queue */
bool fy_outbox_remove(ferry_conn *conn, struct fy_segment *segment);  /* lock held: if it has not begun to leave */
static inline uint64_t fy_outbox_pending(const struct fy_outbox *out)
{
    uint64_t written = atomic_load_explicit(&out->written, memory_order_relaxed);
    uint64_t queued = atomic_load_explicit(&out->queued, memory_order_relaxed);
    return queued > written ? queued - written : 0;
}

/* file.c: sends a piece of the range at the front of the outbox, at most `most` bytes. The caller is the writer, on the
 * loop. -EAGAIN also when the range is cold, or ahead of its rate: fy_outbox_writable() will be called. */
ssize_t fy_file_send(ferry_conn *conn, struct fy_segment *segment, uint64_t most);

/* `len`, or what FERRY_TO_END means for this file now. */
uint64_t fy_file_length(const ferry_file *file, uint64_t offset, uint64_t len);

#endif
