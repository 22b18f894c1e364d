/* SPDX-License-Identifier: MIT
 *
 * Faults: the functions that stand in for those of libc, with their types; calls.syms says which for which.
 */
#ifndef FERRY_TEST_FAULT_CALLS_H
#define FERRY_TEST_FAULT_CALLS_H

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* sockets.c */
ssize_t fault_recv(int fd, void *buf, size_t cap, int flags);
ssize_t fault_send(int fd, const void *data, size_t len, int flags);
ssize_t fault_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t fault_sendfile(int fd, int file, off_t *offset, size_t len);
ssize_t fault_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags);
int fault_socket(int family, int type, int protocol);
int fault_socketpair(int family, int type, int protocol, int ends[2]);
int fault_bind(int fd, const struct sockaddr *address, socklen_t len);
int fault_listen(int fd, int backlog);
int fault_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int fault_connect(int fd, const struct sockaddr *address, socklen_t len);
int fault_shutdown(int fd, int how);
int fault_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int fault_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int fault_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int fault_getpeername(int fd, struct sockaddr *address, socklen_t *len);
int fault_ioctl(int fd, unsigned long request, ...);
int fault_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list);

/* files.c */
int fault_open(const char *path, int flags, ...);
int fault_close(int fd);
int fault_fcntl(int fd, int command, ...);
int fault_fstat(int fd, struct stat *st);
int fault_lstat(const char *path, struct stat *st);
int fault_unlink(const char *path);
int fault_pipe2(int ends[2], int flags);
int fault_posix_fadvise(int fd, off_t offset, off_t len, int advice);
ssize_t fault_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t fault_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t fault_write(int fd, const void *data, size_t len);
long fault_syscall(long number, ...);

/* waiting.c */
int fault_epoll_create1(int flags);
int fault_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int fault_epoll_pwait2(int epoll, struct epoll_event *events, int cap, const struct timespec *timeout,
                       const sigset_t *mask);
int fault_epoll_wait(int epoll, struct epoll_event *events, int cap, int timeout_ms);
int fault_eventfd(unsigned value, int flags);

/* memory.c */
void *fault_malloc(size_t size);
void *fault_calloc(size_t count, size_t size);
void *fault_realloc(void *old, size_t size);
void fault_free(void *block);
void *fault_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int fault_munmap(void *base, size_t bytes);
int fault_mprotect(void *base, size_t bytes, int protection);
int fault_madvise(void *base, size_t bytes, int advice);
int fault_mincore(void *base, size_t bytes, unsigned char *in_memory);
int fault_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg);

#endif
