/* SPDX-License-Identifier: MIT
 *
 * sys: the only place that makes system calls that can fail. Each returns 0 or more, or -errno; EINTR never comes out.
 * Tests that need a faulty kernel link another object in place of sys.c.
 */
#ifndef FY_SYS_SYS_H
#define FY_SYS_SYS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Bytes, on a socket. None of these blocks; sending raises no SIGPIPE. */
ssize_t fy_sys_recv(int fd, void *buf, size_t cap);
ssize_t fy_sys_send(int fd, const struct iovec *iov, int count, bool more);
ssize_t fy_sys_sendfile(int fd, int file, uint64_t offset, size_t len);
int fy_sys_pipe(int ends[2], int bytes); /* it holds that many, if the kernel lets it */
ssize_t fy_sys_splice_in(int fd, int pipe, size_t len);
ssize_t fy_sys_splice_out(int pipe, int fd, size_t len);
void fy_sys_hold_pipe(sigset_t *before); /* this thread blocks SIGPIPE, until... */
void fy_sys_release_pipe(const sigset_t *before);

/* Sockets. */
int fy_sys_socket(int family);
int fy_sys_socket_pair(int ends[2]); /* of Unix sockets */
int fy_sys_bind(int fd, const struct sockaddr *address, socklen_t len);
int fy_sys_listen(int fd, int backlog);
int fy_sys_accept(int fd);
bool fy_sys_accept_passes(int error); /* of the new connection itself: accept(2) says to try again */
int fy_sys_connect(int fd, const struct sockaddr *address, socklen_t len);
int fy_sys_shutdown_write(int fd);
int fy_sys_reset_on_close(int fd);
int fy_sys_cork(int fd, bool on); /* TCP_CORK, tcp(7): only full segments leave, until it is off */
int fy_sys_set(int fd, int level, int option, const void *value, socklen_t len);
int fy_sys_take_error(int fd); /* the socket's pending error as 0 or -errno, which clears it */
int fy_sys_unacked(int fd);    /* bytes the peer has not acknowledged, a FIN counted as one: SIOCOUTQ, tcp(7) */
int fy_sys_local(int fd, struct sockaddr_storage *address, socklen_t *len);
int fy_sys_peer(int fd, struct sockaddr_storage *address, socklen_t *len);
void fy_sys_close(int fd);
int fy_sys_stat_socket(const char *path, struct stat *st); /* -ENOTSOCK if it is anything else; */
int fy_sys_unlink_socket(const char *path);                /* then it stays */

/* Waiting. */
int fy_sys_epoll_create(void);
int fy_sys_epoll_ctl(int epoll, int op, int fd, uint32_t events, void *data);
int fy_sys_epoll_wait(int epoll, struct epoll_event *events, int cap, int64_t timeout_ns); /* -1 = for ever */
int fy_sys_eventfd(void);
void fy_sys_ring(int eventfd); /* async-signal-safe */

/* Files. */
int fy_sys_open(const char *path);
int fy_sys_readable(int fd); /* 0, or -EBADF: not open, or not for reading */
int fy_sys_stat(int fd, struct stat *st);
ssize_t fy_sys_pread(int fd, void *buf, size_t len, uint64_t offset);
int fy_sys_readahead(int fd, uint64_t offset, size_t len);
bool fy_sys_in_memory(int fd, uint64_t offset, size_t len); /* true also when the kernel cannot tell */

/* Memory for stacks, in whole pages. */
size_t fy_sys_page(void);              /* bytes: 4, 16 or 64 KiB, as the kernel was built */
void *fy_sys_map_stacks(size_t bytes); /* NULL = none */
void fy_sys_unmap(void *base, size_t bytes);
int fy_sys_guard(void *page, size_t bytes);                     /* touching it faults from now on */
void fy_sys_discard(void *base, size_t bytes);                  /* the pages are given back; they read as zeros again */
size_t fy_sys_untouched(void *base, size_t bytes);              /* bytes from `base` on that have no page in memory */
void fy_sys_alarm_stack(const stack_t *stack, stack_t *before); /* where this thread's signal handlers run */

/* Waiting for a word to change, and waking one of those who wait: futex(2). May return early. */
void fy_sys_wait_while(atomic_uint *word, unsigned value);
void fy_sys_wake_one(atomic_uint *word);

/* The rest. */
struct addrinfo;
int fy_sys_resolve(const char *host, const char *port, bool passive, struct addrinfo **list); /* blocks */
int fy_sys_thread(void *(*run)(void *), void *arg, unsigned long *id); /* with signals blocked, but for faults */
void fy_sys_complain(const char *text, size_t len);                    /* to stderr; async-signal-safe */
int fy_sys_sigaction(int signal, const struct sigaction *action, struct sigaction *old);

#endif
