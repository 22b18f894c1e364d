/* SPDX-License-Identifier: MIT
 *
 * Tutorial, step 1, coroutine style: a whole server. docs/tutorial.md explains it.
 */
#include <err.h>
#include <ferry/ferry.h>
#include <stdio.h>

static void echo(ferry_conn *conn, void *arg)
{
    (void)arg;
    char data[2048];
    ssize_t len;
    while ((len = ferry_recv(conn, data, sizeof data)) > 0)
        ferry_send(conn, data, (size_t)len);
}

static int serve(ferry_pool *pool, const char *address)
{
    const ferry_service service = {.serve = echo};
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
