/* SPDX-License-Identifier: MIT
 *
 * Tutorial, step 1, reactor style: a whole server. docs/tutorial.md explains it.
 */
#include <err.h>
#include <ferry/ferry.h>
#include <stdio.h>

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static int serve(ferry_pool *pool, const char *address)
{
    const ferry_service service = {.on_data = echo};
    ferry_listener *listener = ferry_listen(pool, address, &service);
    if (!listener) {
        warn("cannot listen on %s", address);
        return 1;
    }
    printf("listening on %s\n", ferry_listener_address(listener));
    fflush(stdout);
    int error = ferry_pool_run(pool);
    if (error < 0)
        warnx("cannot run: %s", ferry_strerror(error));
    return error < 0;
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:2007";
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.handle_signals = true});
    if (!pool)
        err(1, "cannot start");
    int status = serve(pool, address);
    ferry_pool_free(pool);
    return status;
}
