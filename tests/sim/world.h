/* SPDX-License-Identifier: MIT
 *
 * What a program acts on, and what must be true of it.
 *
 * A link is a connection; it has two sides, of which the library drives at least the server's. What a side sends are messages:
 * their number, their length, and bytes that follow from the number. So the other side, which reads them, knows of each whether
 * it is whole; and the world knows when the call that sent it began and ended, and so what may not overtake what.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim.h"

#include "pattern.h"

#include <ferry/ferry.h>

enum { LINKS = 4, SIDES = 64, MESSAGES = 4096, LONGEST = 300 * 1024 };

struct message {
    unsigned from; /* a side */
    size_t len;
    uint64_t begun, ended; /* calls are numbered as they begin and end; 0 = it has not */
    bool arrived;
    bool may_be_left_out; /* it was cancelled */
};

/* Where a side is in the stream that it reads. */
struct reader {
    unsigned char header[8];
    unsigned have; /* bytes of the header */
    size_t left;   /* of the message */
    unsigned message;
    struct pattern bytes;
    uint64_t at; /* bytes so far */
};

struct side {
    bool raw, client, straight; /* straight: a coroutine reads it */
    bool dialling;              /* it may yet open */
    unsigned link;              /* of a client */
    unsigned port;              /* the client's, on both sides; 0 = never opened */
    ferry_conn *conn;           /* a reference; NULL = raw, or never opened */
    unsigned dials, failed, opened, closed;
    int reason;
    ferry_stats stats; /* when it closed */
    struct reader reader;
    uint64_t seen;   /* bytes that it was shown, also those it left */
    size_t leftover; /* of these */
    bool eof, ended; /* the peer's end was told; it reads no more */
    bool high;
    uint64_t calls, latest_begun; /* sends; of its messages that arrived */
    unsigned arrived;
    bool aborted, closing, short_file, gave_up;
};

/* How the program's connections are driven; see program.c. */
struct plan {
    unsigned loops, links, users, ops;
    ferry_service limits; /* what they have in common */
    bool impatient;       /* connections may time out */
    bool by_shutdown;     /* they end by half-closing both ways, and not by ferry_close() */
    bool calm;            /* nothing ends before all has been said */
    bool stops;           /* the pool is stopped before the program is over */
    unsigned nibbles;     /* input is left unconsumed, one time in so many; 0 = never */
};

struct world {
    struct plan plan;
    ferry_pool *pool;
    ferry_listener *listeners[2];
    struct side sides[SIDES];
    unsigned side_count; /* the clients of the links come first */
    struct message messages[MESSAGES];
    unsigned message_count;
    uint64_t calls; /* begun and ended */
    unsigned lent, released, contexts, contexts_released, spawned, ran, posted, posts_run, timers, timers_run;
    unsigned transfers, transfers_done;
    bool healed;   /* the weather is fine from now on, and nobody holds anything up: all has to arrive */
    bool ending;   /* now connections end */
    bool stopping; /* the pool was asked to stop, */
    bool over;     /* and runs no more */
    char changed;  /* waited on: a side has closed, a thread is done */
};

extern struct world world;

/* world.c */
struct side *side_of(ferry_conn *conn);
struct side *other_side(const struct side *side); /* or NULL */
void side_open(struct side *side, ferry_conn *conn);
void side_close(struct side *side, ferry_conn *conn, int reason);
void side_finish(struct side *side); /* begins its orderly end */
bool world_is_settled(void);         /* what was sent has arrived, wherever somebody reads */
bool world_is_over(void);            /* all have closed */
void world_check(void);              /* at the end */

/* messages.c: a message's bytes, which are the caller's to free; and reading them again, of which there is a rehearsal. */
unsigned message_new(struct side *from, size_t len, unsigned char **bytes);
void message_begins(unsigned message);
void message_ends(unsigned message);
void reader_takes(struct side *to, const void *data, size_t len);
void reader_rehearses(struct side *to, const void *data, size_t len);
void reader_ends(struct side *to); /* at the end of the stream */
void messages_check(const struct side *from);

/* services.c */
ferry_service service_for(unsigned kind, void *arg); /* 0 = callbacks, 1 = a coroutine, 2 = of ferry_dial_as() */
void serve_dialled(struct side *side);               /* what a coroutine does that has dialled */

/* program.c */
enum { OPS = 160 };

/* Who does an operation: a thread, or for it... */
enum way { DIRECTLY, POSTED, BY_TIMER, AS_COROUTINE, WAYS };

enum op_kind {
    OP_SEND,
    OP_SENDV,
    OP_OWNED,
    OP_BLOB,
    OP_FILE,
    OP_TRANSFER,
    OP_GIVE_UP,
    OP_SHUTDOWN,
    OP_CLOSE,
    OP_ABORT,
    OP_PAUSE,
    OP_RESUME,
    OP_SLEEP,
    OP_CANCEL,
    OP_JOIN,
    OP_OFFLOAD,
    OP_FLUSH,
    OP_LOOK,
    OP_DEAF,
    OP_STOP,
    OP_PEER
};

enum peer_kind { PEER_SEND, PEER_READ, PEER_SLEEP, PEER_HALF_CLOSE, PEER_CLOSE, PEER_RESET };

struct op {
    size_t size;
    unsigned actor; /* a user, or behind them the peer of a link */
    enum op_kind kind;
    enum peer_kind peer_kind;
    enum way way;
    unsigned link, extra;
    uint64_t made; /* when its timer was; nanoseconds */
    bool server;   /* the server's side of the link */
    bool dropped;
};

extern struct op ops[OPS];

void op_print(const struct op *op);
void op_perform(struct op *op); /* on the thread of a user */
void ops_end(void);

void program_plan(uint64_t seed); /* ops, world.plan, the weather */
void program_run(void);

/* peer.c */
struct peer {
    struct side *side;
    unsigned listener; /* port */
    bool lazy;         /* it reads when told to, until all is to end */
    int fd;
    bool said_all, failed;
};

void peer_connect(struct peer *peer);
void peer_does(struct peer *peer, enum peer_kind kind, size_t size);
void peer_ends(struct peer *peer);

#endif
