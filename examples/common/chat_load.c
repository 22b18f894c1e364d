/* SPDX-License-Identifier: MIT
 *
 * The rounds of chat_load.h. Whichever loop sees the last delivery of a message sends the next one: no thread is in
 * charge.
 */
#include "chat_load.h"

#include "descriptors.h"
#include "frame.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NUMBER = 11,          /* bytes of a message's number, and the space */
    SIZE_MIN = 32,        /* that, and a text to know it by */
    CONNECTING_MOST = 64, /* at a time: more would only wait for the server to accept them */
    SPARE = 64,           /* descriptors for other things */
    SPARE_A_LOOP = 8,
    TICK_MS = 100,
};

static void read_flags(struct chat_load *load, int argc, char **argv)
{
    const example_flag own[] = {
        {"connections", "N", "how many are in the room (default: 100)", &load->connections, 1, 1000000, NULL},
        {"messages", "M", "how many are said, one after the other (default: 10)", &load->messages, 1, 1000000000, NULL},
        {"size", "BYTES", "length of each (default: 64)", &load->size, SIZE_MIN, FRAME_BODY_MAX, NULL},
        {"patience", "SECONDS", "how long nothing may come (default: 30)", &load->patience_s, 1, 3600, NULL},
        {0}};
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS", .flags = own});
    client_init(&load->client, &flags, 1); /* the run is one thing to do, for all connections together */
    unsigned long needed = load->connections + SPARE + SPARE_A_LOOP * ferry_pool_size(load->client.pool);
    unsigned long allowed = descriptors_raise();
    if (allowed < needed)
        errx(EXIT_FAILURE, "%lu connections need %lu descriptors, and %lu are allowed; see ulimit -n",
             load->connections, needed, allowed);
}

void chat_load_init(struct chat_load *load, int argc, char **argv)
{
    *load = (struct chat_load){.connections = 100, .messages = 10, .size = 64, .patience_s = 30};
    read_flags(load, argc, argv);
    load->members = calloc(load->connections, sizeof *load->members);
    load->delays = calloc(load->connections, sizeof *load->delays);
    load->text = malloc(load->size);
    if (!load->members || !load->delays || !load->text)
        errx(EXIT_FAILURE, "no memory for %lu connections", load->connections);
    memset(load->text, '.', load->size);
    int len = snprintf(load->text, SIZE_MIN - NUMBER, "chat_load %d", getpid());
    load->text[len] = ' ';
}

static void send_number(struct chat_load *load, ferry_conn *conn, unsigned long number)
{
    char header[FRAME_HEADER], digits[NUMBER + 1];
    frame_write_header(header, (uint32_t)load->size);
    snprintf(digits, sizeof digits, "%010lu ", number);
    const struct iovec message[] = {{header, sizeof header}, {digits, NUMBER}, {load->text, load->size - NUMBER}};
    ferry_sendv(conn, message, 3);
}

/* A stranger's message is let pass: false. */
static bool parse_number(const struct chat_load *load, const char *body, size_t len, unsigned long *number)
{
    if (len != load->size || memcmp(body + NUMBER, load->text, len - NUMBER) != 0)
        return false;
    char digits[NUMBER];
    memcpy(digits, body, NUMBER - 1);
    digits[NUMBER - 1] = '\0';
    char *end;
    *number = strtoul(digits, &end, 10);
    return *end == '\0' && body[NUMBER - 1] == ' ';
}

static int compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return a < b ? -1 : a > b;
}

static void count_delays(struct chat_load *load)
{
    for (unsigned long i = 0; i < load->connections; i++)
        load->delays[i] = load->members[i].delay_ns;
    qsort(load->delays, load->connections, sizeof *load->delays, compare);
    latency_add(&load->first, load->delays[0]);
    latency_add(&load->median, load->delays[(load->connections - 1) / 2]);
    latency_add(&load->last, load->delays[load->connections - 1]);
}

static void send_next(struct chat_load *load)
{
    unsigned long number = atomic_load(&load->number) + 1;
    if (number > load->messages) {
        client_done(&load->client);
        return;
    }
    atomic_store(&load->delivered, 0);
    atomic_store(&load->number, number);
    atomic_store(&load->sent_ns, latency_now());
    send_number(load, load->members[number % load->connections].conn, number);
}

static void join(struct chat_member *member)
{
    struct chat_load *load = member->load;
    if (member->joined)
        return;
    member->joined = true;
    if (atomic_fetch_add(&load->joined, 1) + 1 == load->connections)
        send_next(load);
}

void chat_load_received(struct chat_member *member, const char *body, size_t len)
{
    struct chat_load *load = member->load;
    unsigned long number;
    if (!parse_number(load, body, len, &number))
        return;
    if (number == 0) {
        join(member);
        return;
    }
    if (number != member->last + 1) {
        client_fail(&load->client, "one got message %lu when it was to get %lu", number, member->last + 1);
        return;
    }
    member->delay_ns = latency_now() - atomic_load(&load->sent_ns);
    member->last = number;
    if (atomic_fetch_add(&load->delivered, 1) + 1 < load->connections)
        return;
    count_delays(load);
    send_next(load);
}

static void connect_next(struct chat_load *load)
{
    unsigned long index = atomic_fetch_add(&load->connecting, 1);
    if (index >= load->connections)
        return;
    ferry_service service = load->service;
    service.arg = &load->members[index];
    load->members[index].load = load;
    client_connect(&load->client, index, &service);
}

void chat_load_opened(struct chat_member *member, ferry_conn *conn)
{
    member->conn = ferry_conn_ref(conn);
    atomic_fetch_add(&member->load->open, 1);
    connect_next(member->load);
}

void chat_load_ended(struct chat_member *member, ssize_t reason)
{
    struct client *client = &member->load->client;
    if (reason == -ECANCELED || atomic_load(&client->left) == 0)
        return; /* it is we who end */
    if (!member->conn)
        client_fail_connect(client, (int)reason);
    else if (reason == -EMSGSIZE)
        client_fail(client, "%s is no chat: a message of more than %d bytes", client->address, FRAME_BODY_MAX);
    else if (reason == 0)
        client_fail(client, "%s closed a connection", client->address);
    else
        client_fail(client, "connection to %s: %s", client->address, ferry_strerror((int)reason));
}

static void check_progress(struct chat_load *load)
{
    unsigned long number = atomic_load(&load->number), delivered = atomic_load(&load->delivered);
    unsigned long open = atomic_load(&load->open), joined = atomic_load(&load->joined);
    unsigned long progress = open + joined + number * (load->connections + 1) + delivered;
    uint64_t now = latency_now();
    if (progress != load->progress || load->progress_ns == 0) {
        load->progress = progress;
        load->progress_ns = now;
    } else if (now - load->progress_ns > load->patience_s * 1000000000) {
        client_fail(&load->client,
                    "nothing came for %lu s: of %lu connections %lu are open, %lu in the room; %lu have message %lu",
                    load->patience_s, load->connections, open, joined, delivered, number);
    }
}

static void tick(void *arg)
{
    struct chat_load *load = arg;
    check_progress(load);
    unsigned long joined = atomic_load(&load->joined);
    bool quiet = joined == load->joined_before; /* who has not got the last one was not in the room yet */
    load->joined_before = joined;
    if (quiet && joined < load->connections && atomic_load(&load->open) == load->connections)
        send_number(load, load->members[0].conn, 0);
}

static int report(const struct chat_load *load)
{
    static const char *const names[] = {"first", "median", "last"};
    const struct latency *const latencies[] = {&load->first, &load->median, &load->last};
    printf("%lu connections, messages of %lu bytes; from sending one until that delivery:\n", load->connections,
           load->size);
    for (int i = 0; i < 3; i++) {
        char line[LATENCY_LINE_MAX];
        latency_format(latencies[i], line, sizeof line);
        printf("%-6s  %s\n", names[i], line);
    }
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    warn("cannot write to stdout");
    return EXIT_FAILURE;
}

static void tear_down(struct chat_load *load)
{
    for (unsigned long i = 0; i < load->connections; i++)
        ferry_conn_unref(load->members[i].conn);
    free(load->members);
    free(load->delays);
    free(load->text);
}

int chat_load_run(struct chat_load *load, const ferry_service *service)
{
    load->service = *service;
    if (!ferry_every(ferry_pool_loop(load->client.pool, 0), TICK_MS, tick, load))
        client_fail(&load->client, "no timer: %s", ferry_strerror(-errno));
    for (int i = 0; i < CONNECTING_MOST; i++)
        connect_next(load);
    int status = client_run(&load->client);
    if (status == EXIT_SUCCESS)
        status = report(load);
    tear_down(load);
    return status;
}
