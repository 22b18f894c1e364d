/* SPDX-License-Identifier: MIT
 *
 * poll: the interface to a backend, shaped for completions. A source (a socket) makes standing requests (receive,
 * accept); the backend reports each result to its `done`. epoll does the call when the socket is ready; io_uring has had
 * it done by the kernel.
 *
 * All functions are for the loop's thread. A source may be removed inside any `done`; its memory must stay until the end
 * of that reap, since more of its events may be on the list (they are thrown away).
 */
#ifndef FY_POLL_POLL_H
#define FY_POLL_POLL_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum fy_event {
    FY_SOON,     /* others come next: a chance to have the cache filled with what they will need */
    FY_RECEIVED, /* result: bytes at `data`, valid during the call; 0 = end of input; -errno */
    FY_ACCEPTED, /* result: a descriptor, or -errno, which also ends the request */
    FY_READABLE, /* there may be something to receive: whoever is told does it, and says so when there was nothing */
    FY_SENT,     /* result of fy_poll_send(): bytes, or -errno */
    FY_WRITABLE, /* what fy_poll_expect() was for: a send is worth another try; a connect has ended; a FIN is acknowledged */
    FY_BROKEN /* result: -errno; the connection failed while nothing was requested of it */
};

struct fy_completion {
    enum fy_event event;
    ssize_t result;
    void *data;
};

struct fy_source {
    int fd;
    unsigned char wants;      /* FY_WANT_*: the standing requests */
    unsigned char ready;      /* the backend's: what the kernel has said and nobody has used yet */
    bool live;                /* between add and remove */
    union {                   /* the backend's */
        struct fy_list again; /* epoll: sources with more to do than one turn allows */
        struct fy_slot *slot; /* io_uring: what it has in the kernel */
    };
    void (*done)(struct fy_source *, const struct fy_completion *);
};

/* Bytes that the kernel sends from where they lie, and may read long after FY_SENT, as until the peer has acknowledged
 * them. `over` is told once they are free, also after the source has gone; at the latest when the backend closes. */
struct fy_loan {
    struct fy_list link;                         /* the backend's */
    struct fy_slot *slot;                        /* the backend's */
    void (*over)(struct fy_loan *, bool copied); /* copied: there was nothing to gain, or it failed */
};

enum { FY_WANT_RECEIVE = 1, FY_WANT_ACCEPT = 2, FY_WANT_READABLE = 4 }; /* one of them, or none */

struct fy_poll;

struct fy_backend {
    const char *name;
    int (*open)(struct fy_poll **poll, int bell); /* an eventfd that others ring to have wait return; -1: they do not */
    void (*close)(struct fy_poll *);
    int (*fd)(struct fy_poll *); /* readable when wait would not sleep; or -errno */
    int (*add)(struct fy_poll *, struct fy_source *);
    void (*remove)(struct fy_poll *, struct fy_source *);
    void (*request)(struct fy_poll *, struct fy_source *, unsigned wants); /* replaces the standing requests */
    void (*empty)(struct fy_poll *, struct fy_source *); /* FY_READABLE, but a call said EAGAIN: not until more comes */
    void (*expect)(struct fy_poll *, struct fy_source *); /* NULL: FY_WRITABLE is told anyway */
    bool (*send)(struct fy_poll *, struct fy_source *, const void *data, size_t len); /* NULL: it never takes any */
    bool (*lend)(struct fy_poll *, struct fy_source *, const void *data, size_t len,
                 struct fy_loan *loan);                      /* or NULL */
    void (*submit)(struct fy_poll *);                        /* NULL, as it does not send */
    bool (*keeps)(const struct fy_poll *, const void *data); /* NULL: never */
    bool (*busy)(const struct fy_poll *);                    /* results wait that need no sleep */
    int (*wait)(struct fy_poll *, int64_t timeout_ns); /* sleeps until there are results; -1 = for ever; 0 or -errno */
    unsigned (*reap)(struct fy_poll *);                /* reports them; returns how many events there were */
    void (*flush)(struct fy_poll *);                   /* NULL, or: the loop turns no more, or not for now */
};

/* What every backend's struct begins with. */
struct fy_poll {
    const struct fy_backend *backend;
};

extern const struct fy_backend fy_backend_epoll;
extern const struct fy_backend fy_backend_uring;

static inline int fy_poll_add(struct fy_poll *poll, struct fy_source *source)
{
    return poll->backend->add(poll, source);
}

static inline void fy_poll_remove(struct fy_poll *poll, struct fy_source *source)
{
    poll->backend->remove(poll, source);
}

static inline void fy_poll_request(struct fy_poll *poll, struct fy_source *source, unsigned wants)
{
    poll->backend->request(poll, source, wants);
}

/* Asks for FY_WRITABLE, when it comes to that; edge by edge from then on. */
static inline void fy_poll_expect(struct fy_poll *poll, struct fy_source *source)
{
    if (poll->backend->expect)
        poll->backend->expect(poll, source);
}

/* Has it sent with what else the loop gives the kernel, without waiting for room: FY_SENT will tell how much has gone, until
 * when the bytes must stay, and the source, too. False: it is for the caller to send. */
static inline bool fy_poll_send(struct fy_poll *poll, struct fy_source *source, const void *data, size_t len)
{
    return poll->backend->send && poll->backend->send(poll, source, data, len);
}

/* The same without a copy, in a kernel that can; the bytes must stay until loan->over. */
static inline bool fy_poll_lend(struct fy_poll *poll, struct fy_source *source, const void *data, size_t len,
                                struct fy_loan *loan)
{
    return poll->backend->lend && poll->backend->lend(poll, source, data, len, loan);
}

/* What it was given by fy_poll_send() is to leave now, since what comes next takes long. */
static inline void fy_poll_submit(struct fy_poll *poll)
{
    if (poll->backend->submit)
        poll->backend->submit(poll);
}

/* Whether this is the backend's own memory, which it had received into. Such bytes may be sent from where they lie: it keeps
 * them until FY_SENT has been told. */
static inline bool fy_poll_keeps(const struct fy_poll *poll, const void *data)
{
    return poll->backend->keeps && poll->backend->keeps(poll, data);
}

static inline void fy_poll_empty(struct fy_poll *poll, struct fy_source *source)
{
    poll->backend->empty(poll, source);
}

#endif
