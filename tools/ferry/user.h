/* SPDX-License-Identifier: MIT
 *
 * Becoming another user, for good.
 */
#ifndef FERRY_TOOL_USER_H
#define FERRY_TOOL_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user {
    const char *name; /* NULL = stay who one is */
    uid_t uid;
    gid_t gid;
};

/* For `struct option`, into a struct user: one that this system has, and not root. */
const char *parse_user(const char *text, void *into);

/* Whether this process may become somebody else: user_become() would otherwise fail with -EPERM. */
bool user_may_become(void);

/* Gives up being root: the user's ids, its group and no other, no capability, and no core of what root had in memory.
 * 0; or -errno, and the process must end: it may be half of each. -ENOTRECOVERABLE = root could be had again.
 * All threads of the process follow. */
int user_become(const struct user *user);

#endif
