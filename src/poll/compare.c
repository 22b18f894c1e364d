/* SPDX-License-Identifier: MIT
 *
 * poll: what small messages cost by one backend and by the other, here and now. It takes a few milliseconds.
 */
#include "base/clock.h"
#include "poll/choose.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>

enum {
    PAIRS = 16, /* of sockets: as many messages are there at a time */
    SIZE = 64,  /* bytes of a message */
    ROUNDS = 8, /* there and back, in a heat */
    HEATS = 5,  /* by each in turn; the best is what it costs undisturbed */
};

struct side {
    struct fy_source source;
    struct field *field;
    int peer; /* the other end, which the loop does not know */
};

struct field {
    struct fy_poll *poll;
    unsigned answered;
    int error;
    struct side sides[PAIRS];
};

static const char message[SIZE];
static const struct iovec whole = {(void *)message, SIZE};

static void answer(struct fy_source *source, const struct fy_completion *completion)
{
    struct field *field = FY_CONTAINER(source, struct side, source)->field;
    if (completion->event != FY_RECEIVED)
        return;
    field->answered++;
    if (completion->result != SIZE)
        field->error = completion->result < 0 ? (int)completion->result : -EPROTO;
    else if (!fy_poll_send(field->poll, source, message, SIZE))
        fy_sys_send(source->fd, &whole, 1, false);
}

static void leave(struct field *field)
{
    for (unsigned i = 0; i < PAIRS; i++) {
        struct side *side = &field->sides[i];
        if (side->source.live)
            fy_poll_remove(field->poll, &side->source);
        if (side->source.fd < 0)
            continue;
        fy_sys_close(side->source.fd);
        fy_sys_close(side->peer);
    }
    field->poll->backend->close(field->poll);
}

static int enter(struct field *field, const struct fy_backend *backend)
{
    *field = (struct field){0};
    int error = backend->open(&field->poll, -1);
    if (error < 0)
        return error;
    for (unsigned i = 0; i < PAIRS; i++)
        field->sides[i].source.fd = -1;
    for (unsigned i = 0; i < PAIRS && error == 0; i++) {
        struct side *side = &field->sides[i];
        int ends[2];
        if ((error = fy_sys_socket_pair(ends)) < 0)
            break;
        *side = (struct side){.source = {.fd = ends[0], .done = answer}, .field = field, .peer = ends[1]};
        error = fy_poll_add(field->poll, &side->source);
        if (error == 0)
            fy_poll_request(field->poll, &side->source, FY_WANT_RECEIVE);
    }
    if (error < 0)
        leave(field);
    return error;
}

/* Answers what is there: that alone is timed. */
static int serve(struct field *field, uint64_t *ns)
{
    const struct fy_backend *backend = field->poll->backend;
    const uint64_t start = fy_now_ns();
    uint64_t now = start;
    for (field->answered = 0; field->answered < PAIRS && field->error == 0; now = fy_now_ns()) {
        if (now - start > FY_SECOND)
            return -ETIMEDOUT;
        int error = backend->wait(field->poll, (int64_t)(FY_SECOND / 10));
        if (error < 0)
            return error;
        backend->reap(field->poll);
        fy_poll_submit(field->poll);
    }
    *ns += now - start;
    return field->error;
}

static int heat(struct field *field, uint64_t *best)
{
    uint64_t ns = 0;
    char back[SIZE];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < PAIRS; i++)
            fy_sys_send(field->sides[i].peer, &whole, 1, false);
        int error = serve(field, &ns);
        for (unsigned i = 0; i < PAIRS && error == 0; i++)
            if (fy_sys_recv(field->sides[i].peer, back, sizeof back) != SIZE)
                error = -EPROTO;
        if (error < 0)
            return error;
    }
    if (ns < *best)
        *best = ns;
    return 0;
}

int fy_backend_compare(const struct fy_backend *a, const struct fy_backend *b, unsigned *percent)
{
    struct field fields[2];
    uint64_t best[2] = {UINT64_MAX, UINT64_MAX};
    int error = enter(&fields[0], a);
    if (error < 0)
        return error;
    error = enter(&fields[1], b);
    if (error == 0) {
        for (unsigned i = 0; i < 2 * HEATS && error == 0; i++)
            error = heat(&fields[i % 2], &best[i % 2]);
        leave(&fields[1]);
    }
    leave(&fields[0]);
    if (error == 0)
        *percent = (unsigned)(100 * best[0] / (best[1] > 0 ? best[1] : 1));
    return error;
}
