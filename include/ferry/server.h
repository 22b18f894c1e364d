/* SPDX-License-Identifier: MIT
 *
 * Services, listeners and dialers: how connections come about and who drives them.
 *
 * Addresses are strings: "127.0.0.1:8888", "[::1]:8888", ":8888" (all addresses, IPv6 and IPv4), "localhost:8888",
 * "unix:/run/x.sock", "unix:@abstract". Port 0 asks the kernel for a free one.
 */
#ifndef FERRY_SERVER_H
#define FERRY_SERVER_H

#include <ferry/conn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ferry_listener ferry_listener;

/* What happens to a send that would exceed max_pending or the pool's budget. */
typedef enum ferry_overflow {
    FERRY_OVERFLOW_CLOSE, /* the connection closes with -ENOBUFS, by a reset */
    FERRY_OVERFLOW_DROP   /* that message is dropped whole, and counted */
} ferry_overflow;

/* Options of each connection's socket; zero = the default. They are hints to the kernel: see tcp(7). */
typedef struct ferry_socket_options {
    bool nagle;                    /* true leaves Nagle's algorithm on; default: TCP_NODELAY */
    unsigned keepalive_s;          /* seconds of silence before TCP probes the peer; 0 = no probes */
    unsigned keepalive_interval_s; /* between probes; 0 = 10 */
    unsigned keepalive_count;      /* unanswered probes before -ETIMEDOUT; 0 = 3. With user_timeout_ms, that decides */
    unsigned user_timeout_ms;      /* how long bytes may stay unacknowledged, or unsent (RFC 5482); 0 = the kernel's */
    int send_buffer;               /* SO_SNDBUF; 0 = the kernel tunes it */
    int receive_buffer;            /* SO_RCVBUF; 0 = the kernel tunes it */
    const char *congestion;        /* TCP_CONGESTION, such as "cubic"; NULL = the system's. Must outlive the service */
    int backlog;                   /* of a listener; 0 = the system's maximum */
} ferry_socket_options;

/* How the connections of a listener or dialer are driven: by `serve`, or by callbacks. It is copied; strings and `arg` are
 * not.
 * Each callback may be NULL; all run on the connection's loop, never inside a call of ferry, never two at once for one
 * connection. Any function may be called from any of them; in on_close a send is a counted no-op. */
typedef struct ferry_service {
    void *arg; /* handed to each callback */

    /* Coroutine style (ferry/co.h): each connection gets a coroutine, and closes in order when this returns. on_close may be
     * given as well; of the other callbacks none. */
    void (*serve)(ferry_conn *conn, void *arg);

    /* Reactor style. */

    /* The connection is ready. */
    void (*on_open)(ferry_conn *conn, void *arg);
    /* Bytes have come, valid during the call. Returns how many are consumed, at most `len`; the rest comes again,
     * contiguous, with more. NULL: input is read and thrown away. */
    size_t (*on_data)(ferry_conn *conn, const void *data, size_t len, void *arg);
    /* The peer will send no more; sending to it goes on. NULL: ferry_close(). */
    void (*on_eof)(ferry_conn *conn, void *arg);
    /* Something was sent, and all that was sent is now in the kernel. It does not say that the peer has it. */
    void (*on_drain)(ferry_conn *conn, void *arg);
    /* More than high_water bytes of memory are queued; once, until low_water was reached again. */
    void (*on_high_water)(ferry_conn *conn, size_t pending, void *arg);
    /* The end, exactly once; see ferry_strerror() for the reasons. Also the only callback of a ferry_connect() that
     * failed. */
    void (*on_close)(ferry_conn *conn, int reason, void *arg);

    size_t high_water;        /* bytes; 0 = 1 MiB */
    size_t low_water;         /* bytes; 0 = half of high_water */
    size_t max_pending;       /* bytes of memory queued, files not counted; 0 = no limit */
    size_t max_input;         /* unconsumed bytes kept before -EMSGSIZE; 0 = 1 MiB */
    unsigned idle_timeout_ms; /* no byte either way for so long: -ETIMEDOUT; 0 = off */
    unsigned linger_ms;       /* how long ferry_close() waits for a peer that makes no progress; 0 = 5000 */
    uint64_t min_send_rate; /* bytes/s the peer must acknowledge while bytes are pending, or a close waits for it, over
                               some seconds; 0 = off */
    unsigned max_conns;     /* open at once on this listener; more are accepted and closed, counted; 0 = no limit */
    unsigned max_conns_per_peer; /* the same for one source address */

    /* The pair of on_high_water: once after each, when no more than low_water bytes are queued. */
    void (*on_low_water)(ferry_conn *conn, size_t pending, void *arg);
    ferry_overflow overflow; /* what max_pending does */
    ferry_socket_options socket;
    const char *name;  /* of its coroutines, in dumps and messages; NULL = none */
    size_t stack_size; /* bytes, of its coroutines; 0 = 64 KiB */
} ferry_service;

/* Whether it is an address, by its form: 0, or -EINVAL. A name is not looked up. Thread: any. */
FERRY_API int ferry_address_check(const char *address);

/* Listens, and opens each connection on one of the pool's loops. The listener lives as long as the pool.
 * Thread: any, also while the pool runs; a name is looked up, which may block. A stale Unix socket file is replaced; the
 * listener's own is removed when it closes, unless another has taken its place.
 * Fails: NULL with EINVAL (the address, or no service, or one that contradicts itself), EADDRINUSE, EADDRNOTAVAIL,
 * EACCES, ENOENT (the name has no address), EMFILE, ENOMEM... see bind(2). */
FERRY_API ferry_listener *ferry_listen(ferry_pool *pool, const char *address, const ferry_service *service);

/* The address, with the real port when 0 was asked; constant, as long as the listener. Thread: any. */
FERRY_API const char *ferry_listener_address(const ferry_listener *listener);

/* Stops listening; the connections stay. Returns at once: the loop does it, and who connects before it has is served, or
 * reset. Idempotent. Thread: any. */
FERRY_API void ferry_listener_close(ferry_listener *listener);

typedef struct ferry_accept_stats {
    uint64_t accepted; /* connections opened */
    uint64_t refused;  /* closed at once, over max_conns or max_conns_per_peer */
    uint64_t
        pauses;    /* times accepting paused: no descriptors, no memory (accept(2): EMFILE, ENFILE, ENOBUFS, ENOMEM) */
    unsigned open; /* open now */
} ferry_accept_stats;

/* Fills in the listener's counters. Thread: any. */
FERRY_API void ferry_listener_stats(const ferry_listener *listener, ferry_accept_stats *stats);

typedef struct ferry_connect_options {
    unsigned timeout_ms;     /* for each address that is tried, looking up the name not counted; 0 = 5000 */
    unsigned attempts;       /* 0 = 8 */
    unsigned backoff_ms;     /* before the second attempt, doubled for each more; 0 = 50. Each wait is a random part,
                                half to all, of that, so that clients of a fallen server do not return together */
    unsigned backoff_max_ms; /* 0 = 2000 */
} ferry_connect_options;

/* Connects from that loop; names are resolved on a worker thread, each of their addresses tried in turn. on_open
 * follows, or on_close alone with the last attempt's reason.
 * Thread: any. Fails: -EINVAL (the address, or no service, or one that contradicts itself), -ENOMEM; no callback follows
 * then. */
FERRY_API int ferry_connect(ferry_loop *loop, const char *address, const ferry_service *service,
                            const ferry_connect_options *options);

#ifdef __cplusplus
}
#endif

#endif
