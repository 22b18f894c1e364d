/* SPDX-License-Identifier: MIT
 *
 * co: a connection that a coroutine drives in straight lines. It observes the connection like any other style: bytes come
 * by `data`, inside which the coroutine that waits for them runs, sees them where they lie, and takes what it likes.
 */
#ifndef FY_CO_STRAIGHT_H
#define FY_CO_STRAIGHT_H

#include "co/co.h"
#include "conn/conn.h"

/* Behind the connection (fy_driver.extra). */
struct fy_straight {
    struct fy_co *reader; /* parked until there is input, or NULL */
    struct fy_co *dialer; /* parked until it is open, or NULL */
    const char *view;     /* what is lent, during `data`... */
    size_t size, used;    /* ...how much, and how much of it was consumed */
    unsigned drops_told;  /* refused sends that ferry_flush() has told of */
    uint64_t deadline;    /* nanoseconds of fy_now_ns(); 0 = none */
    const char *parked;   /* where on its stack the reader was when it parked last */
    bool eof;             /* no more input will come: the peer has ended, or it is being closed here */
};

/* NULL = it has callbacks. */
struct fy_straight *fy_straight_of(const ferry_conn *conn);

/* Observers, as in struct fy_observer. */
void fy_straight_soon(const ferry_conn *conn);
size_t fy_straight_data(ferry_conn *conn, const void *data, size_t len);
void fy_straight_eof(ferry_conn *conn);
void fy_straight_close(ferry_conn *conn);

/* ferry_loop.hold_back: parks the running coroutine until the connection is at its low-water mark. */
void fy_co_hold_back(ferry_conn *conn);

#endif
