/* SPDX-License-Identifier: MIT
 *
 * Two times in sixteen bytes; see clock_message.h.
 */
#include "clock_message.h"

#include <endian.h>
#include <string.h>
#include <time.h>

enum { HALF = CLOCK_MESSAGE_SIZE / 2 };

int64_t clock_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void put(unsigned char *half, int64_t us)
{
    uint64_t little = htole64((uint64_t)us);
    memcpy(half, &little, sizeof little);
}

static int64_t get(const unsigned char *half)
{
    uint64_t little;
    memcpy(&little, half, sizeof little);
    return (int64_t)le64toh(little);
}

void clock_message_ask(unsigned char *message, int64_t client_us)
{
    put(message, client_us);
    put(message + HALF, 0);
}

void clock_message_answer(unsigned char *message, int64_t server_us)
{
    put(message + HALF, server_us);
}

void clock_message_read(const unsigned char *message, int64_t *client_us, int64_t *server_us)
{
    *client_us = get(message);
    *server_us = get(message + HALF);
}
