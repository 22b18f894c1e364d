/* SPDX-License-Identifier: MIT
 *
 * ferry serve: giving up rights, between listening and serving.
 */
#include "serve.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static int become_user(const struct server *server)
{
    const struct user *user = &server->options.user;
    int error = user_become(user);
    if (error == 0)
        return STATUS_DONE;
    if (error == -ENOTRECOVERABLE)
        complain("serve", "--user: %s could become root again", user->name);
    else
        complain("serve", "--user: cannot become %s: %s", user->name, strerror(-error));
    return STATUS_FAILED;
}

/* Where the file is opened again and again, that user has to be able to, too. */
static int look_again(const struct server *server)
{
    if (server->root.fd < 0)
        return STATUS_DONE;
    int fd = root_open(&server->root);
    if (fd < 0) {
        complain("serve", "%s: %s, for %s", server->path, file_strerror(fd), server->options.user.name);
        return STATUS_FAILED;
    }
    close(fd);
    return STATUS_DONE;
}

/* The folder of a Unix socket, which is removed when the listener goes: 0 or -errno. */
static int find_socket(const struct server *server, struct root *folder)
{
    static const char prefix[] = "unix:";
    const char *address = ferry_listener_address(server->listener);
    const char *path = address + strlen(prefix);
    *folder = (struct root){.fd = -1};
    if (strncmp(address, prefix, strlen(prefix)) != 0 || *path == '@')
        return 0;
    return root_init(folder, path);
}

static int lacking(const char *what, int error)
{
    complain("serve", "--confine=require: no %s: %s", what, confine_strerror(error));
    return STATUS_FAILED;
}

static int judge(const struct confined *confined)
{
    if (confined->landlock < 0)
        return lacking("Landlock", confined->landlock);
    if (confined->seccomp < 0)
        return lacking("seccomp", confined->seccomp);
    return STATUS_DONE;
}

static int confine_to_serving(struct server *server)
{
    struct root socket;
    int error = find_socket(server, &socket);
    if (error < 0) {
        complain("serve", "the folder of %s: %s", ferry_listener_address(server->listener), ferry_strerror(error));
        return STATUS_FAILED;
    }
    const struct confinement keep = {
        .reads = server->root.fd,
        .removes = socket.fd,
        .ring = strcmp(ferry_pool_backend(server->pool), "io_uring") == 0,
    };
    server->confined = confine(&keep);
    root_fini(&socket);
    return server->options.confine == CONFINE_REQUIRE ? judge(&server->confined) : STATUS_DONE;
}

int give_up_rights(struct server *server)
{
    int status = STATUS_DONE;
    if (server->options.user.name != NULL) {
        status = become_user(server);
        if (status == STATUS_DONE)
            status = look_again(server);
    }
    if (status == STATUS_DONE && server->options.confine != CONFINE_OFF)
        status = confine_to_serving(server);
    return status;
}

void tell_rights(const struct server *server)
{
    const struct confined *confined = &server->confined;
    if (server->options.confine == CONFINE_OFF)
        return;
    if (confined->landlock < 0)
        complain("serve", "not confined by Landlock: %s", confine_strerror(confined->landlock));
    if (confined->seccomp < 0)
        complain("serve", "not confined by seccomp: %s", confine_strerror(confined->seccomp));
    if (confined->landlock > 0 && confined->seccomp == 0 && !server->options.quiet)
        complain("serve", "confined to its file and its connections, by Landlock %d and seccomp", confined->landlock);
}
