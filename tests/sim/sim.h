/* SPDX-License-Identifier: MIT
 *
 * A machine in a process: threads, a clock, and a kernel with a network, all of them run by a seed. The library is linked with
 * it in place of src/sys/sys.c, and believes every word.
 *
 * Each thread is a context of its own on the one thread of the process. It gives way at each system call, at each lock, and,
 * since the library is compiled with a call before each basic block (-fsanitize-coverage=trace-pc), anywhere in between. What
 * goes on, how long it takes and how much of it, is drawn from the seed, so that a seed is a run, each time the same.
 *
 *     thread.c  threads and the clock        pthread.c  what else the library asks of them
 *     net.c     the network                  end.c      what a program does with an end of a connection
 *     kernel.c  descriptors, epoll, files    socket.c, machine.c  the rest of what sys.h declares
 *     program.c what a program does          world.c    what must be true of it
 *     peer.c    peers without the library    main.c     seeds, one after the other; shrinking
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIM_MS = 1000 * 1000 }; /* nanoseconds */

/* What a run came to, in memory that the process shares with the one that judges it. */
struct sim_result {
    bool over;         /* it came to its end */
    uint64_t steps;    /* points at which another might have gone on */
    uint64_t hash;     /* of all that happened, in order */
    uint64_t reached;  /* enum sim_state, a bit each */
    unsigned messages; /* that arrived */
    char why[1024];    /* it failed; or empty */
};

/* Noteworthy states. Some run or other has to reach each. */
enum sim_state {
    SIM_PREEMPTED,
    SIM_LOCK_WAITED,
    SIM_MUTEX_WAITED,
    SIM_SHORT_WRITE,
    SIM_FULL,
    SIM_STARVED,
    SIM_FAKED_FULL,
    SIM_IDLE_EDGE,
    SIM_WINDOW_SHUT,
    SIM_FIN_UNREAD,
    SIM_RESET_WITH_QUEUE,
    SIM_RESET_BEHIND_FIN,
    SIM_UNREAD_AT_CLOSE,
    SIM_ACCEPT_REFUSED,
    SIM_CONNECT_REFUSED,
    SIM_CONNECT_LOST,
    SIM_COLD,
    SIM_FILE_SHORT,
    SIM_FD_REUSED,
    SIM_RUNG,
    SIM_EOF_WHOLE,
    SIM_LEFTOVER,
    SIM_HIGH,
    SIM_DRAINED,
    SIM_DROPPED,
    SIM_LATE_SEND,
    SIM_HELD_BACK,
    SIM_DEADLINE,
    SIM_CANCELLED,
    SIM_GIVEN_UP,
    SIM_STOPPED_EARLY,
    SIM_CLOSED_BY_LIMIT,
    SIM_CLOSED_BY_TIME,
    SIM_CLOSED_BY_RESET,
    SIM_CLOSED_BY_ABORT,
    SIM_CLOSED_IN_ORDER,
    SIM_STATES
};

/* thread.c */
extern struct sim_result *sim_result;
extern bool sim_traced; /* tells each step */

void sim_begin(uint64_t seed, struct sim_result *result); /* the calling thread becomes the first of the machine */
uint64_t sim_now(void);
unsigned sim_spawn(const char *name, void *(*run)(void *), void *arg); /* its number, not 0 */
void sim_join(unsigned thread);
bool *sim_inside(void); /* of the running thread: it is in a call that may call nothing back */

/* A point at which others may go on. What is done here is part of the run's hash. */
void sim_step(const char *what, uint64_t a, uint64_t b);
void sim_note(const char *what, uint64_t a, uint64_t b); /* the same, and nobody else goes on */

/* Waits for sim_wake(on), until then; false: that was it. May return early, as futexes and conditions may. */
bool sim_wait(const void *on, uint64_t until);
void sim_wake(const void *on);
void sim_wake_one(const void *on);
void sim_sleep(uint64_t ns);

uint64_t sim_random(uint64_t limit); /* below it */
bool sim_one_in(uint64_t n);         /* never, for 0 */
uint64_t sim_size(uint64_t most);    /* 1..most; small ones are as likely as big ones */

void sim_reached(enum sim_state state);
__attribute__((noreturn, format(printf, 1, 2))) void sim_fail(const char *format, ...);

/* net.c: how bad the network is: one in so many; 0 = never. */
struct sim_weather {
    uint64_t delay_ns;   /* at most, for a piece of data, an acknowledgement, a reset */
    uint64_t piece;      /* bytes that arrive together are at most so many */
    uint64_t buffer;     /* the most that a socket's buffers hold */
    unsigned faked_full; /* a send that takes less than there is room for */
    unsigned starved;    /* ENOBUFS */
    unsigned idle_edge;  /* an event without news */
    unsigned no_accept;  /* EMFILE */
    unsigned refused;    /* connecting is refused... */
    unsigned lost;       /* ...or never answered */
    unsigned cold;       /* a file's range is not in memory */
    unsigned no_thread;  /* EAGAIN, for a worker, */
    unsigned loops;      /* but not for so many threads to come */
};

extern struct sim_weather sim_weather;

struct sim_end; /* one end of a connection; kept to the end of the run */

struct sim_end *sim_end_new(int fd);
void sim_end_connect(struct sim_end *end, unsigned port); /* what comes of it is told later */
void sim_end_accept(struct sim_end *end, int fd);
ssize_t sim_end_send(struct sim_end *end, const void *data, size_t len);
ssize_t sim_end_recv(struct sim_end *end, void *buf, size_t cap);
int sim_end_shutdown(struct sim_end *end);
void sim_end_close(struct sim_end *end, bool reset);
int sim_end_take_error(struct sim_end *end);
uint32_t sim_end_poll(struct sim_end *end); /* EPOLL* that hold now */
int sim_end_unacked(const struct sim_end *end);
unsigned sim_end_port(const struct sim_end *end, bool peer);
unsigned sim_end_id(const struct sim_end *end); /* the client's port, on both sides */

/* The truth, for the model. */
struct sim_truth {
    uint64_t written, acked, taken; /* bytes; the last by the other side */
    uint64_t acked_at;              /* when an acknowledgement came last */
    bool reset;                     /* a reset arrived */
    bool fin_acked;
};

void sim_end_truth(const struct sim_end *end, struct sim_truth *truth);
struct sim_end *sim_end_find(unsigned port, bool client); /* the latest with that port; or NULL */

uint64_t sim_net_next(void); /* when something is to happen; UINT64_MAX = nothing is */
void sim_net_run(void);      /* what is due */

/* kernel.c, for net.c and the program */
void sim_fd_event(int fd);                              /* something has happened to it */
bool sim_fd_arrive(unsigned port, struct sim_end *end); /* for a listener; false = nobody listens */
int sim_fd_file(const void *bytes, size_t len,
                size_t cut); /* a new file, which ends at `cut` when it comes to reading */
uint32_t sim_fd_wait(int fd, uint32_t events, uint64_t until); /* which EPOLL* hold, of these; may be 0 */
void sim_fd_wake_all(void);                                    /* who waits by it */
unsigned sim_fd_port(int fd);                                  /* the client's, on both sides */
unsigned sim_fd_count(void);                                   /* that are open */
void sim_fd_dump(void);

#endif
