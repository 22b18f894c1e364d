/* SPDX-License-Identifier: MIT
 *
 * The counter of in_flight.h, under a lock of the connection's own.
 */
#include "in_flight.h"

void in_flight_init(in_flight *f, ferry_conn *conn, unsigned long limit)
{
    *f = (in_flight){.conn = conn, .limit = limit};
    pthread_mutex_init(&f->lock, NULL);
}

void in_flight_fini(in_flight *f)
{
    pthread_mutex_destroy(&f->lock);
}

void in_flight_take(in_flight *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->count++ == 0)
        ferry_conn_set_busy(f->conn, true);
    pthread_mutex_unlock(&f->lock);
}

/* With the lock. */
static in_flight_news find_news(in_flight *f)
{
    if (f->end_wanted && f->count == 0) {
        f->end_wanted = false;
        return IN_FLIGHT_END;
    }
    if (f->room_wanted && f->count <= f->limit / 2) {
        f->room_wanted = false;
        return IN_FLIGHT_ROOM;
    }
    return IN_FLIGHT_NO_NEWS;
}

in_flight_news in_flight_land(in_flight *f)
{
    pthread_mutex_lock(&f->lock);
    if (--f->count == 0)
        ferry_conn_set_busy(f->conn, false);
    in_flight_news news = find_news(f);
    pthread_mutex_unlock(&f->lock);
    return news;
}

bool in_flight_has_room(in_flight *f)
{
    pthread_mutex_lock(&f->lock);
    bool has = f->count < f->limit;
    f->room_wanted = !has;
    pthread_mutex_unlock(&f->lock);
    return has;
}

bool in_flight_has_ended(in_flight *f)
{
    pthread_mutex_lock(&f->lock);
    bool has = f->count == 0;
    f->end_wanted = !has;
    f->room_wanted = false;
    pthread_mutex_unlock(&f->lock);
    return has;
}
