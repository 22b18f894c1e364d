/* SPDX-License-Identifier: MIT
 *
 * Every place where a coroutine parks, as a table, and a scene in which each of them goes on parking until somebody disturbs
 * the one who is there.
 */
#ifndef FERRY_TEST_PLACES_H
#define FERRY_TEST_PLACES_H

#include "host.h"
#include "wait.h"

#include <ferry/ferry.h>

struct scene {
    struct host *host;
    int listener; /* a plain one, to dial */
    char address[32];
    int deaf; /* a plain listener that never accepts, its backlog full */
    char deaf_address[32];
    int in_backlog;
    ferry_wait_group *group;     /* of 1 */
    ferry_channel *full, *empty; /* of 1 item */
    ferry_mutex *mutex, *lent;   /* held by the holder; and free */
    ferry_cond *cond;
    ferry_co *holder;
    struct count let_go; /* what the work of an offload waits for */
};

struct visit;

struct place {
    const char *name;
    const char *call;                     /* as the dump names it; NULL = it is not parked, but runs again and again */
    int (*enter)(struct visit *visit);    /* parks; returns what the call did, -errno or >= 0 */
    void (*release)(struct scene *scene); /* what lets one go that does not heed cancelling; or NULL */
    int expected;                         /* of one that is cancelled in it */
    bool connected;                       /* visit->conn is wanted */
    bool may_succeed;                     /* when all are cancelled at once: the one it waits for ends, too */
};

/* One coroutine in one of them. */
struct visit {
    struct scene *scene;
    const struct place *place;
    ferry_conn *conn; /* dialed by it; the other end is `fd` and says nothing */
    int fd;
    struct count ready;
    int result;
    int again; /* of a second parking call */
    bool cleaned;
};

extern const struct place places[];

void scene_init(struct scene *scene, struct host *host);
void scene_fini(struct scene *scene);

/* Starts it by the name "visitor"; returns when it is connected, if it wants to be, and about to enter. */
ferry_co *visit_start(struct visit *visit, struct scene *scene, const struct place *place);
void visit_wait(const struct visit *visit); /* it is in its place */
void visit_end(struct visit *visit);        /* it has finished */

#endif
