/* SPDX-License-Identifier: MIT
 *
 * server: a service as its connections see it: the user's callbacks behind the connection's observer.
 */
#ifndef FY_SERVER_SERVICE_H
#define FY_SERVER_SERVICE_H

#include "conn/conn.h"

#include <ferry/server.h>

struct fy_service {
    struct fy_driver driver; /* first: a connection's driver is its service */
    ferry_service user;
    void (*gone)(struct fy_service *, void *tag); /* a connection has closed; `tag` is what it was made with */
};

/* Fills it in, with the defaults. 0, or -EINVAL when it contradicts itself. */
int fy_service_init(struct fy_service *service, const ferry_service *user, struct fy_budget *budget);

/* Whether it has callbacks of the reactor style; on_close goes with both. */
bool fy_service_has_callbacks(const ferry_service *user);

/* Makes its connections the kind that a coroutine drives. */
void fy_service_straight(struct fy_service *service);

/* callbacks.c: the reactor style; coroutine.c: the coroutine style. */
extern const struct fy_observer fy_callbacks;
extern const struct fy_observer fy_coroutine;

#endif
