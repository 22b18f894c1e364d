/* SPDX-License-Identifier: MIT
 *
 * First the header, then as much as it says; see frame_recv.h. A connection that waits has four bytes of a buffer.
 */
#include "frame_recv.h"

#include <errno.h>
#include <stdlib.h>

/* All of `len` bytes, or why not; 0 = the input ends before the first. */
static ssize_t recv_whole(ferry_conn *conn, void *buf, size_t len)
{
    ssize_t got = ferry_recv_exact(conn, buf, len);
    return got > 0 && (size_t)got < len ? -ENODATA : got;
}

ssize_t frame_recv(ferry_conn *conn, char **frame)
{
    unsigned char header[FRAME_HEADER];
    ssize_t got = recv_whole(conn, header, sizeof header);
    if (got <= 0)
        return got;
    size_t length = frame_read_header(header);
    if (length > FRAME_BODY_MAX)
        return -EMSGSIZE;
    char *whole = malloc(sizeof header + length);
    if (!whole)
        return -ENOMEM;
    frame_write_header(whole, (uint32_t)length);
    got = length > 0 ? recv_whole(conn, whole + sizeof header, length) : 1;
    if (got <= 0) {
        free(whole);
        return got < 0 ? got : -ENODATA;
    }
    *frame = whole;
    return (ssize_t)(sizeof header + length);
}
