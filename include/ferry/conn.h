/* SPDX-License-Identifier: MIT
 *
 * The connection: sending, closing, looking.
 *
 * The contract of every send in this file: it returns void, at once, from any thread (a coroutine of the connection's
 * loop parks in it above the high-water mark; ferry/co.h). One call is one contiguous run of
 * the byte stream, whatever its length and whoever else sends. If call A returned before call B began, A's bytes come
 * first, whichever threads they ran on. Every byte reaches the peer in order, or the connection closes with a reason
 * that on_close and ferry_conn_error() report. On a closed connection, or after ferry_shutdown(), a send is dropped and
 * counted. No callback runs inside the call, and no SIGPIPE is ever raised.
 *
 * A ferry_conn * is valid inside its callbacks until on_close returns; to keep it longer, or give it to another thread,
 * take a reference. With a reference every function here is safe at any time, also after the connection closed.
 */
#ifndef FERRY_CONN_H
#define FERRY_CONN_H

#include <ferry/error.h>
#include <ferry/file.h>
#include <ferry/loop.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sends `len` bytes. Owns: nothing; what the kernel does not take at once is copied. Thread: any. */
FERRY_API void ferry_send(ferry_conn *conn, const void *data, size_t len);

/* Sends the buffers of a vector, as one message. Owns: nothing. Thread: any. */
FERRY_API void ferry_sendv(ferry_conn *conn, const struct iovec *iov, int count);

/* Sends bytes without a copy. Owns: ferry, until it calls release(data), exactly once, when the last byte is in the
 * kernel or was dropped: on the connection's loop, or at once if the connection has closed already. Over io_uring, where
 * the kernel sends big ones from where they lie, it is when that reads them no more, which may be after on_close.
 * Thread: any. */
FERRY_API void ferry_send_owned(ferry_conn *conn, void *data, size_t len, void (*release)(void *data));

/* Sends a blob without a copy. Owns: shared; a reference is held until the last byte has left. Thread: any. */
FERRY_API void ferry_send_blob(ferry_conn *conn, ferry_blob *blob);

/* Sends `len` bytes of a file from `offset`, the kernel moving them (sendfile(2)); FERRY_TO_END is allowed. The memory
 * it costs does not depend on `len`. A file that proves shorter closes the connection with -ENODATA, by a reset, so that
 * the peer cannot take the part for the whole. Owns: shared. Thread: any; the loop does the sending. */
FERRY_API void ferry_send_file(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len);

/* Half-closes: all that was sent before goes out, then FIN; reading goes on; what is sent after is dropped.
 * Idempotent. Thread: any. */
FERRY_API void ferry_shutdown(ferry_conn *conn);

/* Closes in order: ferry_shutdown(), then reads on and throws away, until the peer closes too or linger_ms passes
 * without progress. Input is not delivered any more; a coroutine may still get what had come, before its end. Idempotent.
 * Thread: any. */
FERRY_API void ferry_close(ferry_conn *conn);

/* Closes now: RST to the peer, what is queued is dropped, reason -ECONNABORTED. on_close follows from the loop.
 * Thread: any. */
FERRY_API void ferry_abort(ferry_conn *conn);

/* Takes, and gives back, a reference. Thread: any. */
FERRY_API ferry_conn *ferry_conn_ref(ferry_conn *conn);
FERRY_API void ferry_conn_unref(ferry_conn *conn); /* NULL is allowed */

/* Binds the caller's object to the connection. release(context) runs exactly once: when another takes its place, or
 * when the last reference is gone, after on_close. `release` may be NULL. Thread: loop (set), any (get). */
FERRY_API void ferry_conn_set_context(ferry_conn *conn, void *context, void (*release)(void *context));
FERRY_API void *ferry_conn_context(const ferry_conn *conn);

/* Bytes sent and not yet in the kernel, file bytes included. Thread: any. */
FERRY_API size_t ferry_conn_pending(const ferry_conn *conn);

/* 0 while all is well and after an orderly close, else the -errno that ended it. Thread: any. */
FERRY_API int ferry_conn_error(const ferry_conn *conn);

/* The loop it belongs to; valid as long as the pool. Thread: any. */
FERRY_API ferry_loop *ferry_conn_loop(const ferry_conn *conn);

/* Stops and restarts reading; bytes that on_data left unconsumed come again at once on resuming. The peer's TCP is
 * held back by its window; a reset is still told. From another thread, on_data may run once more before a pause is seen.
 * Thread: any. */
FERRY_API void ferry_conn_pause(ferry_conn *conn);
FERRY_API void ferry_conn_resume(ferry_conn *conn);

/* From now on what `from` receives is sent to `to`, the kernel moving it (splice(2)), until the end of its input: what came
 * before and was not consumed goes first, and nothing is received while the last piece is still on its way, so memory
 * stays flat. on_data is not called for it any more, and ferry_recv() on it parks until the end and says 0 or -errno;
 * on_eof and on_close come as ever, when all that was received stands in the queue of `to`, which stays open: half-close it,
 * or abort it. Both belong to one loop. Returns 0; -EINVAL: of two loops, or `from` is forwarded already; -ENOTCONN: one has
 * closed. Thread: loop. */
FERRY_API int ferry_forward(ferry_conn *from, ferry_conn *to);

/* While a connection is busy, ferry_pool_stop() counts it as having something under way, also when nothing of it is
 * queued: a timer will send the rest, or another thread is at work for it. Thread: any. */
FERRY_API void ferry_conn_set_busy(ferry_conn *conn, bool busy);

/* The addresses of both ends, as ferry_listen() takes them, into `buf` of `cap` bytes. Returns the length, or -ENOSPC,
 * or -ENOTCONN when it is closed or not open yet. Thread: loop. */
FERRY_API int ferry_conn_peer(const ferry_conn *conn, char *buf, size_t cap);
FERRY_API int ferry_conn_local(const ferry_conn *conn, char *buf, size_t cap);

typedef enum ferry_verdict {
    FERRY_VERDICT_OPEN,      /* not closed yet */
    FERRY_VERDICT_ACKED,     /* the peer's TCP has acknowledged every byte that was sent */
    FERRY_VERDICT_UNCERTAIN, /* closed in order, but some bytes had not been acknowledged */
    FERRY_VERDICT_RESET,     /* the peer reset it, or ferry_abort() or an error of ours did */
    FERRY_VERDICT_TIMED_OUT  /* a timeout or the minimum rate ended it */
} ferry_verdict;

typedef struct ferry_stats {
    uint64_t received;     /* bytes read from the peer */
    uint64_t queued;       /* bytes accepted by the send calls */
    uint64_t written;      /* of these, bytes handed to the kernel */
    uint64_t unsent;       /* of these, bytes not yet handed to the kernel; after the close: lost */
    uint64_t dropped;      /* bytes refused by the send calls */
    uint64_t drops;        /* send calls refused */
    int drop_reason;       /* why the last one was: -ESHUTDOWN (after a shutdown), -ENOTCONN (after the close),
                               -ENOBUFS (over a limit), -ECANCELED (a transfer given up); 0 = none was */
    uint64_t acknowledged; /* bytes the peer's TCP has acknowledged; Unix sockets: that the peer has read. Asked for
                               anew on the connection's loop; another thread has the last answer */
    ferry_verdict verdict;
} ferry_stats;

/* Fills in the connection's counters; in on_close and after, with the verdict. Thread: any. */
FERRY_API void ferry_conn_stats(const ferry_conn *conn, ferry_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
