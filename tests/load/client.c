/* SPDX-License-Identifier: MIT
 *
 * The clients' sockets, clock and times.
 */
#include "client.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 60 * 1000 };

unsigned long client_number(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || (*end != '\0' && *end != '\n'))
        errx(2, "not a number: %s", text);
    return number;
}

struct sockaddr_in client_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host)
        errx(2, "not an address: %s", text);
    memcpy(host, text, (size_t)(colon - text));
    address.sin_port = htons((uint16_t)client_number(colon + 1));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        errx(2, "not an address: %s", text);
    return address;
}

unsigned client_patience_ms(void)
{
    const char *slow = getenv("FERRY_TEST_SLOW");
    return PATIENCE_MS * (slow ? (unsigned)client_number(slow) : 1U);
}

uint64_t client_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int client_connect(const struct sockaddr_in *to, unsigned long number, int flags)
{
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(0x7f010001 + (in_addr_t)(number % 251))};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        err(1, "socket");
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
                     sizeof on); /* the port is chosen with the peer known */
    if (bind(fd, (const struct sockaddr *)&from, sizeof from) < 0)
        err(1, "bind");
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS)
        return fd;
    int error = errno;
    if (error != ECONNREFUSED && error != ECONNRESET)
        err(1, "connect");
    (void)close(fd);
    return -error;
}

void client_reset(int fd)
{
    const struct linger none = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)close(fd);
}

void sample_add(struct sample *sample, uint64_t us)
{
    sample->us[sample->count++ % SAMPLE_MAX] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

uint32_t sample_percentile(struct sample *sample, unsigned percent)
{
    size_t count = sample->count < SAMPLE_MAX ? (size_t)sample->count : SAMPLE_MAX;
    if (count == 0)
        return 0;
    qsort(sample->us, count, sizeof *sample->us, compare);
    return sample->us[(count - 1) * percent / 100];
}
