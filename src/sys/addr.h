/* SPDX-License-Identifier: MIT
 *
 * sys: addresses, between the strings that users write and what the kernel takes.
 */
#ifndef FY_SYS_ADDR_H
#define FY_SYS_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { FY_HOST_MAX = 256, FY_PORT_MAX = 8, FY_ADDR_TEXT = 300 };

/* A string taken apart. For a Unix socket `host` is its path, with a leading '@' if abstract. */
struct fy_addr {
    bool local; /* a Unix socket */
    char host[FY_HOST_MAX];
    char port[FY_PORT_MAX];
};

struct fy_sockaddr {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* 0 or -EINVAL. No name is looked up. */
int fy_addr_parse(const char *text, struct fy_addr *addr);

/* Whether it can be resolved without looking a name up, and so without blocking. */
bool fy_addr_is_literal(const struct fy_addr *addr);

/* What it stands for: at most `cap` addresses into `out`; returns how many, or -errno (-ENOENT: no such name). Looks names
 * up, and so may block for long. `passive`: to listen on, so an empty host means all of this machine's. */
int fy_addr_resolve(const struct fy_addr *addr, bool passive, struct fy_sockaddr *out, int cap);

/* The string for an address. Returns its length, or -ENOSPC. */
int fy_addr_format(const struct fy_sockaddr *address, char *buf, size_t cap);

#endif
