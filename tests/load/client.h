/* SPDX-License-Identifier: MIT
 *
 * What the client programs of the load tests share. They are written against the kernel alone, and what must not be
 * ends them with a sentence and status 1.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* A number of the command line, or of a line of stdin. */
unsigned long client_number(const char *text);

/* HOST:PORT, of IPv4, as ferry_listener_address() gives it. */
struct sockaddr_in client_address(const char *text);

/* How long a client that is alive may be kept waiting before it counts as forgotten: milliseconds, FERRY_TEST_SLOW
 * included. */
unsigned client_patience_ms(void);

uint64_t client_now_us(void);

/* A socket that is connected, or, not to be waited for, connecting. `flags` are those of socket(2), SOCK_NONBLOCK above
 * all. It comes from 127.1.x.y, by the `number`, so that a port that was used a moment ago is in nobody's way. Returns
 * -errno when it is refused. */
int client_connect(const struct sockaddr_in *to, unsigned long number, int flags);

/* Closes with RST. */
void client_reset(int fd);

/* A sample of times, of which the latest SAMPLE_MAX are kept. */
enum { SAMPLE_MAX = 1 << 18 };

struct sample {
    uint64_t count;
    uint32_t us[SAMPLE_MAX];
};

void sample_add(struct sample *sample, uint64_t us);

/* The time that so many of a hundred do not exceed; 0 of none. It sorts. */
uint32_t sample_percentile(struct sample *sample, unsigned percent);

#endif
