/* SPDX-License-Identifier: MIT
 *
 * The next frame of a connection, in a straight line: for the programs of examples/coroutine. With callbacks
 * frame_parse() is all that is needed.
 */
#ifndef FRAME_RECV_H
#define FRAME_RECV_H

#include "frame.h"

#include <ferry/ferry.h>

/* Receives a frame whole, its header included, into memory that is the caller's to free; parks.
 * Its size; or 0 = the input has ended; or fails as ferry_recv_exact(), and with -EMSGSIZE (too long), -ENODATA (the
 * input has ended in the middle), -ENOMEM. */
ssize_t frame_recv(ferry_conn *conn, char **frame);

#endif
