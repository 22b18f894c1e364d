/* SPDX-License-Identifier: MIT
 *
 * Faults: the calls with sockets.
 */
#include "calls.h"
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

/* A call that moves bytes. Its length is cut down; or true, it fails. Afterwards: fault_tell_again(), if it is `cut`. */
static bool fails(enum fault_call call, int fd, size_t *len, bool *cut)
{
    struct fault_blow blow = fault_ask_for(call, fd);
    *cut = blow.most > 0 && blow.most < *len;
    if (*cut)
        *len = blow.most;
    if (blow.error == 0)
        return false;
    if (blow.error == EAGAIN)
        fault_tell_again(fd);
    errno = blow.error;
    return true;
}

static ssize_t moved(ssize_t n, int fd, bool cut)
{
    int saved = errno;
    if (cut)
        fault_tell_again(fd);
    errno = saved;
    return n;
}

/* A ring is told of input by the socket alone, so an EAGAIN that is none would be the end of it. */
static bool blocks_for_ever(int error, int fd)
{
    return error == EAGAIN && !fault_is_watched(fd);
}

ssize_t fault_recv(int fd, void *buf, size_t cap, int flags)
{
    bool cut;
    if (fails(FAULT_RECV, fd, &cap, &cut) && !blocks_for_ever(errno, fd))
        return -1;
    return moved(recv(fd, buf, cap, flags), fd, cut);
}

ssize_t fault_send(int fd, const void *data, size_t len, int flags)
{
    bool cut;
    if (fails(FAULT_SEND, fd, &len, &cut))
        return -1;
    return moved(send(fd, data, len, flags), fd, cut);
}

ssize_t fault_sendmsg(int fd, const struct msghdr *message, int flags)
{
    enum { PIECES = 64 };
    struct iovec pieces[PIECES];
    struct msghdr shorter = *message;
    size_t len = 0, count = 0;
    bool cut;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        len += message->msg_iov[i].iov_len;
    if (fails(FAULT_SENDMSG, fd, &len, &cut))
        return -1;
    for (; count < message->msg_iovlen && count < PIECES && len > 0; count++) {
        pieces[count] = message->msg_iov[count];
        if (pieces[count].iov_len > len)
            pieces[count].iov_len = len;
        len -= pieces[count].iov_len;
    }
    shorter.msg_iov = pieces;
    shorter.msg_iovlen = count;
    return moved(sendmsg(fd, cut ? &shorter : message, flags), fd, cut);
}

ssize_t fault_sendfile(int fd, int file, off_t *offset, size_t len)
{
    bool cut;
    if (fails(FAULT_SENDFILE, fd, &len, &cut))
        return -1;
    return moved(sendfile(fd, file, offset, len), fd, cut);
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are splice(2)'s */
ssize_t fault_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags)
{
    struct fault_blow blow = fault_ask(FAULT_SPLICE);
    bool output = (fcntl(from, F_GETPIPE_SZ) > 0);
    bool cut = blow.most > 0 && blow.most < len;
    int fd = output ? to : from;
    if (!output && blocks_for_ever(blow.error, fd))
        blow.error = 0;
    if (blow.error == EAGAIN)
        fault_tell_again(fd);
    if (blow.error != 0) {
        errno = blow.error;
        return -1;
    }
    return moved(splice(from, from_at, to, to_at, cut ? blow.most : len, flags), fd, cut);
}

int fault_socket(int family, int type, int protocol)
{
    return fault_refuses(FAULT_SOCKET) ? -1 : socket(family, type, protocol);
}

int fault_socketpair(int family, int type, int protocol, int ends[2])
{
    if (fault_refuses(FAULT_SOCKETPAIR) || socketpair(family, type, protocol, ends) < 0)
        return -1;
    fault_spare(ends[0]);
    fault_spare(ends[1]);
    return 0;
}

int fault_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return fault_refuses(FAULT_BIND) ? -1 : bind(fd, address, len);
}

int fault_listen(int fd, int backlog)
{
    return fault_refuses(FAULT_LISTEN) ? -1 : listen(fd, backlog);
}

int fault_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    if (!fault_refuses(FAULT_ACCEPT4))
        return accept4(fd, address, len, flags);
    if (errno == EAGAIN)
        fault_tell_again(fd);
    return -1;
}

/* An interrupted one goes on by itself: connect(2). */
int fault_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (!fault_refuses(FAULT_CONNECT))
        return connect(fd, address, len);
    int error = errno;
    if (error == EINTR && connect(fd, address, len) < 0 && errno != EINPROGRESS)
        return -1;
    errno = error;
    return -1;
}

int fault_shutdown(int fd, int how)
{
    return fault_refuses(FAULT_SHUTDOWN) ? -1 : shutdown(fd, how);
}

/* SO_LINGER cannot fail on a socket, and is what a reset is made with. */
int fault_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    bool exempt = level == SOL_SOCKET && option == SO_LINGER;
    return !exempt && fault_refuses(FAULT_SETSOCKOPT) ? -1 : setsockopt(fd, level, option, value, len);
}

int fault_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    return fault_refuses(FAULT_GETSOCKOPT) ? -1 : getsockopt(fd, level, option, value, len);
}

int fault_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return fault_refuses(FAULT_GETSOCKNAME) ? -1 : getsockname(fd, address, len);
}

int fault_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    return fault_refuses(FAULT_GETPEERNAME) ? -1 : getpeername(fd, address, len);
}

int fault_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *value = va_arg(args, void *);
    va_end(args);
    return fault_refuses(FAULT_IOCTL) ? -1 : ioctl(fd, request, value);
}

int fault_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
    struct fault_blow blow = fault_ask(FAULT_GETADDRINFO);
    if (blow.error == EAI_SYSTEM)
        errno = EIO;
    return blow.error != 0 ? blow.error : getaddrinfo(host, port, hints, list);
}
