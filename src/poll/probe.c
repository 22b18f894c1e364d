/* SPDX-License-Identifier: MIT
 *
 * poll: tries a backend out, by the operations that a server needs of it.
 */
#include "base/clock.h"
#include "poll/choose.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

/* A source, and the last it was told. */
struct probe {
    struct fy_source source;
    enum fy_event event;
    ssize_t result;
    bool told;
};

static void note(struct fy_source *source, const struct fy_completion *completion)
{
    struct probe *probe = FY_CONTAINER(source, struct probe, source);
    if (completion->event == FY_SOON || (probe->told && completion->event == FY_WRITABLE))
        return;
    probe->event = completion->event;
    probe->result = completion->result;
    probe->told = true;
    if (completion->event == FY_ACCEPTED && completion->result >= 0)
        fy_sys_close((int)completion->result);
}

/* Whether it is told this event, with so much as result, before long. */
static int expect(struct fy_poll *poll, const struct probe *probe, enum fy_event event, ssize_t least)
{
    const uint64_t until = fy_now_ns() + FY_SECOND;
    while (fy_now_ns() < until) {
        int error = poll->backend->wait(poll, (int64_t)(FY_SECOND / 10));
        if (error < 0)
            return error;
        poll->backend->reap(poll);
        if (!probe->told || probe->event != event)
            continue;
        return probe->result < 0 ? (int)probe->result : probe->result >= least ? 0 : -EPROTO;
    }
    return -ENOTSUP;
}

static int watch(struct fy_poll *poll, struct probe *probe, int fd, unsigned wants)
{
    *probe = (struct probe){.source = {.fd = fd, .done = note}};
    int error = fy_poll_add(poll, &probe->source);
    if (error == 0)
        fy_poll_request(poll, &probe->source, wants);
    return error;
}

/* Bytes that a socket is sent are received, twice by one request; and what is sent by way of the backend arrives. */
static int exchange(struct fy_poll *poll, int here, int there, const char **what)
{
    struct probe probe;
    const struct iovec word = {(void *)"ferry", 5};
    char got[8];
    int error = watch(poll, &probe, here, FY_WANT_RECEIVE);
    *what = "multishot receive into provided buffers";
    for (int i = 0; error == 0 && i < 2; i++) {
        probe.told = false;
        fy_sys_send(there, &word, 1, false);
        error = expect(poll, &probe, FY_RECEIVED, 5);
    }
    if (error == 0 && fy_poll_send(poll, &probe.source, word.iov_base, word.iov_len)) {
        *what = "send";
        error = expect(poll, &probe, FY_SENT, 5);
        if (error == 0 && fy_sys_recv(there, got, sizeof got) != 5)
            error = -EPROTO;
    }
    if (error == 0) {
        *what = "multishot poll";
        fy_poll_request(poll, &probe.source, FY_WANT_READABLE);
        fy_sys_send(there, &word, 1, false);
        error = expect(poll, &probe, FY_READABLE, 0);
    }
    if (probe.source.live)
        fy_poll_remove(poll, &probe.source);
    return error;
}

/* On an address that the kernel makes up: unix(7), autobind. */
static int accept_one(struct fy_poll *poll, int listening, int connecting, const char **what)
{
    struct probe probe;
    struct sockaddr_storage at = {.ss_family = AF_UNIX};
    socklen_t len = sizeof at.ss_family;
    *what = "multishot accept";
    int error = fy_sys_bind(listening, (struct sockaddr *)&at, len);
    if (error == 0)
        error = fy_sys_listen(listening, 1);
    if (error == 0)
        error = fy_sys_local(listening, &at, &len);
    if (error == 0)
        error = fy_sys_connect(connecting, (struct sockaddr *)&at, len);
    if (error == 0)
        error = watch(poll, &probe, listening, FY_WANT_ACCEPT);
    if (error < 0)
        return error;
    error = expect(poll, &probe, FY_ACCEPTED, 0);
    fy_poll_remove(poll, &probe.source);
    return error;
}

static int try_with(struct fy_poll *poll, const char **what)
{
    int ends[2], listening = fy_sys_socket(AF_UNIX), connecting = fy_sys_socket(AF_UNIX);
    int error = listening < 0 ? listening : connecting < 0 ? connecting : fy_sys_socket_pair(ends);
    if (error == 0) {
        error = exchange(poll, ends[0], ends[1], what);
        fy_sys_close(ends[0]);
        fy_sys_close(ends[1]);
    }
    if (error == 0)
        error = accept_one(poll, listening, connecting, what);
    if (listening >= 0)
        fy_sys_close(listening);
    if (connecting >= 0)
        fy_sys_close(connecting);
    return error;
}

int fy_backend_probe(const struct fy_backend *backend, const char **what)
{
    struct fy_poll *poll;
    *what = "io_uring_setup";
    int error = backend->open(&poll, -1);
    if (error < 0)
        return error;
    error = try_with(poll, what);
    backend->close(poll);
    return error;
}
