/* SPDX-License-Identifier: MIT
 *
 * sys: addresses as strings.
 */
#include "sys/addr.h"

#include "sys/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char local_prefix[] = "unix:";

static int parse_local(const char *path, struct fy_addr *addr)
{
    size_t len = strlen(path);
    size_t least = path[0] == '@' ? 2 : 1;
    if (len < least || len >= sizeof((struct sockaddr_un *)0)->sun_path)
        return -EINVAL;
    addr->local = true;
    memcpy(addr->host, path, len + 1);
    return 0;
}

static bool is_port(const char *text)
{
    unsigned value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > 65535)
            return false;
    }
    return true;
}

/* Splits HOST:PORT; a host with colons must be in brackets. */
static int parse_inet(const char *text, struct fy_addr *addr)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !is_port(colon + 1) || strlen(colon + 1) >= FY_PORT_MAX)
        return -EINVAL;
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        text++;
        len -= 2;
    }
    if (len >= FY_HOST_MAX || (bracketed && len == 0) || (!bracketed && memchr(text, ':', len)) ||
        memchr(text, ' ', len) || memchr(text, '[', len) || memchr(text, ']', len))
        return -EINVAL;
    memcpy(addr->host, text, len);
    addr->host[len] = '\0';
    memcpy(addr->port, colon + 1, strlen(colon + 1) + 1);
    struct in6_addr six;
    if (bracketed && !strchr(addr->host, '%') && inet_pton(AF_INET6, addr->host, &six) != 1)
        return -EINVAL;
    return 0;
}

int fy_addr_parse(const char *text, struct fy_addr *addr)
{
    memset(addr, 0, sizeof *addr);
    if (!text)
        return -EINVAL;
    if (strncmp(text, local_prefix, strlen(local_prefix)) == 0)
        return parse_local(text + strlen(local_prefix), addr);
    return parse_inet(text, addr);
}

static int resolve_local(const struct fy_addr *addr, struct fy_sockaddr *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->storage;
    size_t len = strlen(addr->host);
    memset(out, 0, sizeof *out);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, addr->host, len);
    if (addr->host[0] == '@')
        un->sun_path[0] = '\0'; /* abstract: its length, not a NUL, ends the name; unix(7) */
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (addr->host[0] != '@'));
    return 1;
}

bool fy_addr_is_literal(const struct fy_addr *addr)
{
    struct in6_addr any;
    return addr->local || inet_pton(AF_INET, addr->host, &any) == 1 || inet_pton(AF_INET6, addr->host, &any) == 1;
}

int fy_addr_resolve(const struct fy_addr *addr, bool passive, struct fy_sockaddr *out, int cap)
{
    if (addr->local)
        return resolve_local(addr, out);
    struct addrinfo *list = NULL;
    const char *host = addr->host[0] ? addr->host : passive ? "::" : "localhost";
    int error = fy_sys_resolve(host, addr->port, passive, &list);
    if (error < 0)
        return error;
    int n = 0;
    for (const struct addrinfo *a = list; a && n < cap; a = a->ai_next) {
        memset(&out[n], 0, sizeof out[n]);
        memcpy(&out[n].storage, a->ai_addr, a->ai_addrlen);
        out[n++].len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return n > 0 ? n : -ENOENT;
}

static int format_local(const struct fy_sockaddr *address, char *buf, size_t cap)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    size_t len = address->len > offsetof(struct sockaddr_un, sun_path)
                     ? address->len - offsetof(struct sockaddr_un, sun_path)
                     : 0;
    bool abstract = len > 0 && un->sun_path[0] == '\0';
    if (!abstract)
        len = strnlen(un->sun_path, len);
    return snprintf(buf, cap, "unix:%s%.*s", abstract ? "@" : "", (int)(len - abstract), un->sun_path + abstract);
}

static int format_four(const struct sockaddr_in *four, char *buf, size_t cap)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
    return snprintf(buf, cap, "%s:%u", host, ntohs(four->sin_port));
}

/* An IPv4 peer of a listener on all addresses is shown as one. A link-local address means nothing without its interface. */
static int format_six(const struct sockaddr_in6 *six, char *buf, size_t cap)
{
    static const char mapped[] = "::ffff:";
    char host[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return snprintf(buf, cap, "%s:%u", host + strlen(mapped), ntohs(six->sin6_port));
    if (six->sin6_scope_id != 0)
        return snprintf(buf, cap, "[%s%%%u]:%u", host, six->sin6_scope_id, ntohs(six->sin6_port));
    return snprintf(buf, cap, "[%s]:%u", host, ntohs(six->sin6_port));
}

static int format(const struct fy_sockaddr *address, char *buf, size_t cap)
{
    switch (address->storage.ss_family) {
    case AF_UNIX:
        return format_local(address, buf, cap);
    case AF_INET6:
        return format_six((const struct sockaddr_in6 *)&address->storage, buf, cap);
    default:
        return format_four((const struct sockaddr_in *)&address->storage, buf, cap);
    }
}

int fy_addr_format(const struct fy_sockaddr *address, char *buf, size_t cap)
{
    int len = format(address, buf, cap);
    return len >= 0 && (size_t)len < cap ? len : -ENOSPC;
}
