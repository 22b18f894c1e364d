/* SPDX-License-Identifier: MIT
 *
 * The run of a client program; see client.h.
 */
#include "client.h"

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

void client_init(struct client *client, const example_flags *flags, unsigned long connections)
{
    client->pool = example_pool(flags);
    client->address = flags->operand;
    atomic_init(&client->left, connections);
    atomic_init(&client->status, EXIT_SUCCESS);
}

static bool fail_first(struct client *client, int status)
{
    int none = EXIT_SUCCESS;
    return atomic_compare_exchange_strong(&client->status, &none, status);
}

/* The second stop does not wait for what is still on its way: nobody has a use for it. */
static void cut(struct client *client)
{
    ferry_pool_stop(client->pool);
    ferry_pool_stop(client->pool);
}

void client_fail(struct client *client, const char *format, ...)
{
    if (!fail_first(client, STATUS_FAILED))
        return;
    va_list arguments;
    va_start(arguments, format);
    vwarnx(format, arguments);
    va_end(arguments);
    cut(client);
}

void client_fail_connect(struct client *client, int reason)
{
    if (reason != -ECANCELED)
        client_fail(client, "cannot connect to %s: %s", client->address, ferry_strerror(reason));
}

void client_connect(struct client *client, unsigned long index, const ferry_service *service)
{
    ferry_loop *loop = ferry_pool_loop(client->pool, (unsigned)(index % ferry_pool_size(client->pool)));
    int error = ferry_connect(loop, client->address, service, &(ferry_connect_options){.attempts = 1});
    if (error == -EINVAL && fail_first(client, STATUS_USAGE)) {
        warnx("the ADDRESS is HOST:PORT, [HOST]:PORT or unix:PATH, not '%s'", client->address);
        cut(client);
    } else if (error < 0) {
        client_fail_connect(client, error);
    }
}

void client_done(struct client *client)
{
    if (atomic_fetch_sub(&client->left, 1) == 1)
        ferry_pool_stop(client->pool);
}

void client_say(struct client *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool said = vprintf(format, arguments) >= 0 && fflush(stdout) == 0;
    va_end(arguments);
    if (!said)
        client_fail(client, "cannot write to stdout");
}

int client_run(struct client *client)
{
    int status = example_run(client->pool);
    if (status == EXIT_SUCCESS && atomic_load(&client->left) > 0 && fail_first(client, STATUS_FAILED))
        warnx("interrupted");
    ferry_pool_free(client->pool);
    return status == EXIT_SUCCESS ? atomic_load(&client->status) : status;
}
