/* SPDX-License-Identifier: MIT
 *
 * conn: the outbox: what is put in (outbox.c), the queue of it (queue.c), and its one writer at a time (writer.c).
 */
#ifndef FY_CONN_OUTBOX_H
#define FY_CONN_OUTBOX_H

#include "conn/segment.h"
#include "sys/lock.h"

#include <ferry/conn.h>
#include <stdatomic.h>

/* Who may write, decided under the lock. Whoever finds the outbox IDLE (or CORKED) may make itself the writer. */
enum fy_role {
    FY_IDLE,    /* the queue is empty */
    FY_CORKED,  /* the queue is not empty, and the loop is due to write it */
    FY_WRITING, /* one thread is in the kernel with the front of the queue */
    FY_BLOCKED  /* the kernel, a cold file or a rate holds the queue back; an event will wake the loop for it */
};

enum {
    FY_CALL_MOST = 1 << 30
}; /* bytes that a system call takes: near 2 GiB the kernel cuts it short without being full */

struct fy_outbox {
    struct fy_lock lock;
    uint32_t last_write; /* when, in ticks (writer.c) */
    struct fy_segment *first, *last;
    atomic_uint_fast64_t queued, written; /* bytes; stored under the lock, loaded anywhere, where they order nothing */
    size_t memory;                        /* bytes of it that occupy memory of ours */
    uint32_t turn, turn_bytes; /* the loop's turn in which it wrote last, by its low bits, and how much in it */
    unsigned short due;        /* FY_DUE_* */
    unsigned short ringing;    /* threads that are about to ring the loop, which must not end before they have */
    unsigned char awaited;     /* FY_DUE_LOW, FY_DUE_DRAIN: somebody waits for it with fy_conn_wait() */
    unsigned char role;        /* enum fy_role */
    bool posted : 1;           /* the connection's task is on its way */
    bool bell : 1;             /* ...and the loop asleep: to be rung by whoever posted it, out of the lock */
    bool retry : 1;            /* the kernel had room again while somebody was writing */
    bool ended : 1;            /* nothing more may be queued: a FIN stands behind the queue */
    bool fin_sent : 1;
    bool dead : 1;      /* the queue is dropped; error says why */
    bool above : 1;     /* above high_water, or below again and not told yet */
    bool undrained : 1; /* something was queued since the last on_drain */
    bool paused : 1;
    bool resumed : 1; /* left-over input is to be delivered again */
    bool doubted : 1; /* receiving says that the input has ended, and who is WRITING may know better (input.c) */
    bool close_asked : 1;
    bool busy : 1;      /* ferry_conn_set_busy() */
    bool asked : 1;     /* whether the peer is on this machine, for the next */
    bool copies : 1;    /* the kernel is lent nothing more: it copies all the same, or cannot */
    bool expecting : 1; /* the backend was asked to tell when there is room */
    bool plugged;       /* TCP_CORK is set, since a long file is on its way; the writer's, who needs no lock for it */
    bool closed;        /* the loop has let go of the connection; set by the loop, which may read it without the lock */
    short drop_reason;  /* why the last refusal was: -errno */
    unsigned drops;     /* calls refused, */
    uint64_t dropped;   /* and their bytes */
    struct fy_segment *spent; /* left or dropped, to be let go of by the loop; last in, first out */
};

static inline uint64_t fy_outbox_pending(const struct fy_outbox *out)
{
    uint64_t written = atomic_load_explicit(&out->written, memory_order_relaxed);
    uint64_t queued = atomic_load_explicit(&out->queued, memory_order_relaxed);
    return queued > written ? queued - written : 0;
}

/* outbox.c. Any thread, unless it says otherwise. */
void fy_outbox_send(ferry_conn *conn, const struct iovec *iov, int count, size_t len);
int fy_outbox_put(ferry_conn *conn, struct fy_segment *segment); /* -errno: refused; still the caller's */
void fy_outbox_end(ferry_conn *conn, bool close);                /* shutdown, or close */

/* writer.c. The loop's thread. */
void fy_outbox_write(ferry_conn *conn);                /* it is due; the lock is held */
void fy_outbox_sent(ferry_conn *conn, ssize_t n);      /* the backend's answer, FY_SENT */
void fy_outbox_writable(ferry_conn *conn);             /* what it was blocked by is over */
uint64_t fy_outbox_turn_bytes(const ferry_conn *conn); /* what it has written for it in this turn */

/* Any thread, with the lock. Makes the caller the writer, until the queue is empty, the kernel is full or `limit` bytes have
 * gone. `own` is the caller's lent segment, or NULL; it is freed, or the queue's. */
void fy_writer_run(ferry_conn *conn, struct fy_segment *own, uint64_t limit);

/* The writer leaves the lock for a while. Its role keeps the connection, and so the loop, from ending meanwhile. */
void fy_writer_step_out(ferry_conn *conn);

/* Whether something was written less than 50 us ago: a foreign thread's sends closer than this are gathered. */
bool fy_writer_just_wrote(const struct fy_outbox *out);

/* lend.c. The lock is held, and the caller is the writer, on the loop. */

/* Whether the kernel may be lent this one: big, its owner's, and here. */
bool fy_can_lend(const ferry_conn *conn, const struct fy_segment *segment);

/* Lends it the front of the queue, up to `limit` bytes: the backend is the writer then. False: it is not possible now. */
bool fy_lend(ferry_conn *conn, uint64_t limit);

/* The backend has said FY_SENT: how much it had been lent; 0 = it was given a copy. */
uint32_t fy_lend_answered(struct fy_segment *first);

/* queue.c. The lock is held, unless it says otherwise. */

/* Whether a message may enter, `memory` of its bytes being kept here: 0, or why not. A refusal is counted, and where that
 * is the policy it is the end of the connection. */
int fy_queue_admit(ferry_conn *conn, uint64_t len, uint64_t memory);

/* A message was admitted, and there is no memory to hold it: the end of the connection. */
void fy_queue_no_memory(ferry_conn *conn, size_t len);

/* Puts it at the end: a segment, or a copy of a small message (false: no memory). */
void fy_queue_push(struct fy_outbox *out, struct fy_segment *segment);
bool fy_queue_append(ferry_conn *conn, const struct iovec *iov, int count, size_t len);

/* `n` bytes have left from the front. */
void fy_queue_advance(ferry_conn *conn, uint64_t n);

/* Drops all of it. */
void fy_queue_purge(ferry_conn *conn);

/* Drops one segment; false if it has begun to leave. */
bool fy_queue_remove(ferry_conn *conn, struct fy_segment *segment);

/* Without the lock. Lets go of a segment that was refused; and, on the loop, of all that have left. */
void fy_queue_discard(ferry_conn *conn, struct fy_segment *segment);
void fy_queue_let_go(ferry_conn *conn);

#endif
