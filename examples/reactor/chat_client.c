/* SPDX-License-Identifier: MIT
 *
 * A client for the chat: a line on stdin is a message, and each message that comes is a line on stdout. The idea: what
 * blocks goes to a worker thread. Reading from a terminal does, and there is no telling for how long; so a worker waits
 * until there is something, and the loop, which goes on meanwhile, then reads it.
 *
 * At the end of stdin (Ctrl-D) it half-closes, and shows what still comes, until the server closes, too.
 *
 *   $ ./chat_client 127.0.0.1:2024
 *   $ printf 'hello\nworld\n' | ./chat_client 127.0.0.1:2024
 */
#include "client.h"
#include "frame.h"
#include "lines.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct chat {
    struct client client;
    ferry_conn *conn; /* NULL while it is not open */
    struct lines lines;
    bool waiting;    /* a worker waits for the next line */
    bool is_partial; /* of the next message a part has come */
    bool skipped;    /* a line could not be sent */
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

static void wait_line(struct chat *chat);

/* Back on the loop, when there is something to read. */
static void read_lines(void *arg)
{
    struct chat *chat = arg;
    chat->waiting = false;
    if (!chat->conn)
        return;
    int result = lines_read(&chat->lines);
    if (result < 0)
        client_fail(&chat->client, "cannot read stdin: %s", ferry_strerror(result));
    send_lines(chat);
    if (result <= 0)
        ferry_shutdown(chat->conn);
    else if (ferry_conn_pending(chat->conn) == 0)
        wait_line(chat);
}

/* On a worker thread. */
static void wait_input(void *arg)
{
    struct chat *chat = arg;
    lines_wait(&chat->lines);
}

static void wait_line(struct chat *chat)
{
    chat->waiting = true;
    int failure = ferry_offload_then(ferry_conn_loop(chat->conn), wait_input, read_lines, chat);
    if (failure < 0)
        client_fail(&chat->client, "cannot wait for stdin: %s", ferry_strerror(failure));
}

static void begin(ferry_conn *conn, void *arg)
{
    struct chat *chat = arg;
    chat->conn = conn;
    wait_line(chat);
}

/* All that was read has gone out: so a file is read no faster than that. */
static void read_on(ferry_conn *conn, void *arg)
{
    (void)conn;
    struct chat *chat = arg;
    if (!chat->waiting && !chat->lines.ended)
        wait_line(chat);
}

static size_t print(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    struct chat *chat = arg;
    size_t done = 0;
    struct frame frame;
    int found;
    while ((found = frame_parse((const char *)data + done, len - done, &frame)) > 0) {
        text_print(stdout, frame.body, frame.length);
        done += frame.size;
    }
    if (found < 0)
        client_fail(&chat->client, "%s is no chat: a message of more than %d bytes", chat->client.address,
                    FRAME_BODY_MAX);
    if (ferror(stdout))
        client_fail(&chat->client, "cannot write to stdout");
    chat->is_partial = done < len;
    return found < 0 ? len : done;
}

static void finish(ferry_conn *conn, void *arg)
{
    struct chat *chat = arg;
    if (chat->is_partial)
        client_fail(&chat->client, "%s ended in the middle of a message", chat->client.address);
    else if (!chat->lines.ended)
        client_fail(&chat->client, "%s closed the connection", chat->client.address);
    else
        client_done(&chat->client);
    ferry_close(conn);
}

static void end(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    struct chat *chat = arg;
    if (!chat->conn)
        client_fail_connect(&chat->client, reason);
    else if (reason < 0 && reason != -ECANCELED)
        client_fail(&chat->client, "connection to %s: %s", chat->client.address, ferry_strerror(reason));
    chat->conn = NULL;
    lines_stop(&chat->lines);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS"});
    static struct chat chat; /* its lines are too long for a stack */
    if (lines_init(&chat.lines, STDIN_FILENO) < 0)
        err(EXIT_FAILURE, "cannot wait for stdin");
    setvbuf(stdout, NULL, _IOLBF, 0); /* each message at once, also into a pipe */
    client_init(&chat.client, &flags, 1);
    ferry_service service = {
        .arg = &chat,
        .on_open = begin,
        .on_data = print,
        .on_drain = read_on,
        .on_eof = finish,
        .on_close = end,
    };
    client_connect(&chat.client, 0, &service);
    int status = client_run(&chat.client);
    lines_fini(&chat.lines);
    return status == EXIT_SUCCESS && chat.skipped ? EXIT_FAILURE : status;
}
