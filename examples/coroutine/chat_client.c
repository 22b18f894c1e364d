/* SPDX-License-Identifier: MIT
 *
 * A client for the chat: a line on stdin is a message, and each message that comes is a line on stdout. The idea: two
 * coroutines, one a direction. What blocks goes to a worker thread: reading from a terminal does, and there is no
 * telling for how long. So ferry_offload() parks until a worker has seen that there is something, and then it is read.
 *
 * At the end of stdin (Ctrl-D) it half-closes, and shows what still comes, until the server closes, too.
 *
 *   $ ./chat_client 127.0.0.1:2024
 *   $ printf 'hello\nworld\n' | ./chat_client 127.0.0.1:2024
 */
#include "client.h"
#include "frame_recv.h"
#include "lines.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct chat {
    struct client client;
    ferry_conn *conn; /* the sender's reference */
    struct lines lines;
    bool over;    /* the connection has ended */
    bool skipped; /* a line could not be sent */
};

static void send_line(struct chat *chat, const char *line, size_t len)
{
    unsigned char header[FRAME_HEADER];
    frame_write_header(header, (uint32_t)len);
    ferry_sendv(chat->conn, (struct iovec[]){{header, sizeof header}, {(char *)line, len}}, 2);
}

/* Sends each line that was read; a line that cannot be a message is told of, and left out. */
static void send_lines(struct chat *chat)
{
    const char *line;
    size_t len;
    int found;
    while ((found = lines_next(&chat->lines, &line, &len)) != 0) {
        if (found > 0 && text_valid(line, len)) {
            send_line(chat, line, len);
            continue;
        }
        const char *why = found < 0 ? "it has more than 65536 bytes" : "it is not UTF-8";
        warnx("line %zu is not sent: %s", chat->lines.number, why);
        chat->skipped = true;
    }
}

/* The way out. A send parks when too much waits to be sent: so a file is read no faster than that. */
static void send_all(void *arg)
{
    struct chat *chat = arg;
    int result = 1;
    while (result > 0 && ferry_offload(lines_wait, &chat->lines) == 0 && !chat->over) {
        result = lines_read(&chat->lines);
        send_lines(chat);
    }
    if (result < 0)
        client_fail(&chat->client, "cannot read stdin: %s", ferry_strerror(result));
    ferry_shutdown(chat->conn);
    ferry_conn_unref(chat->conn);
}

/* The way in: until its end, 0; or why there is no more. */
static int print_all(ferry_conn *conn, struct chat *chat)
{
    char *message;
    ssize_t size;
    while ((size = frame_recv(conn, &message)) > 0) {
        text_print(stdout, message + FRAME_HEADER, (size_t)size - FRAME_HEADER);
        free(message);
        if (ferror(stdout)) {
            client_fail(&chat->client, "cannot write to stdout");
            return -ECANCELED;
        }
    }
    return (int)size;
}

static void tell_end(struct chat *chat, int reason)
{
    const char *address = chat->client.address;
    if (reason == -EMSGSIZE)
        client_fail(&chat->client, "%s is no chat: a message of more than %d bytes", address, FRAME_BODY_MAX);
    else if (reason == -ENODATA)
        client_fail(&chat->client, "%s ended in the middle of a message", address);
    else if (reason == 0 && !chat->lines.ended)
        client_fail(&chat->client, "%s closed the connection", address);
    else if (reason < 0 && reason != -ECANCELED)
        client_fail(&chat->client, "connection to %s: %s", address, ferry_strerror(reason));
    else if (reason == 0)
        client_done(&chat->client);
}

static void talk(ferry_conn *conn, void *arg)
{
    struct chat *chat = arg;
    chat->conn = ferry_conn_ref(conn);
    ferry_co *sender = ferry_spawn(ferry_conn_loop(conn), send_all, chat);
    if (!sender) {
        client_fail(&chat->client, "cannot wait for stdin: %s", ferry_strerror(-errno));
        ferry_conn_unref(conn);
        return;
    }
    tell_end(chat, print_all(conn, chat));
    chat->over = true;
    lines_stop(&chat->lines);
    ferry_join(sender);
}

/* What has never been open has not been talked on. */
static void end(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    struct chat *chat = arg;
    if (!chat->conn)
        client_fail_connect(&chat->client, reason);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS"});
    static struct chat chat; /* its lines are too long for a stack */
    if (lines_init(&chat.lines, STDIN_FILENO) < 0)
        err(EXIT_FAILURE, "cannot wait for stdin");
    setvbuf(stdout, NULL, _IOLBF, 0); /* each message at once, also into a pipe */
    client_init(&chat.client, &flags, 1);
    ferry_service service = {.arg = &chat, .name = "chat", .serve = talk, .on_close = end};
    client_connect(&chat.client, 0, &service);
    int status = client_run(&chat.client);
    lines_fini(&chat.lines);
    return status == EXIT_SUCCESS && chat.skipped ? EXIT_FAILURE : status;
}
