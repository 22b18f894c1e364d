/* SPDX-License-Identifier: MIT
 *
 * The message of roundtrip: two times, 64-bit numbers of microseconds since 1970, little-endian whatever the machine:
 *
 *      the client's, when it asked | the server's, when it answered
 *
 * The client sends its own and a zero; the server sends the same message back with its own filled in. So nobody has to
 * keep anything for a client, and a client knows from the answer alone when it asked.
 */
#ifndef CLOCK_MESSAGE_H
#define CLOCK_MESSAGE_H

#include <stdint.h>

enum { CLOCK_MESSAGE_SIZE = 16 };

/* Microseconds since 1970 now, by this machine's clock. */
int64_t clock_now_us(void);

void clock_message_ask(unsigned char *message, int64_t client_us);
void clock_message_answer(unsigned char *message, int64_t server_us);
void clock_message_read(const unsigned char *message, int64_t *client_us, int64_t *server_us);

#endif
