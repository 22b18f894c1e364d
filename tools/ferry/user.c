/* SPDX-License-Identifier: MIT
 *
 * Becoming another user, for good. That it is for good is not believed but tried.
 */
#include "user.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *parse_user(const char *text, void *into)
{
    const struct passwd *found = getpwnam(text);
    if (found == NULL)
        return "a user of this system";
    if (found->pw_uid == 0 || found->pw_gid == 0)
        return "a user with fewer rights than root";
    *(struct user *)into = (struct user){.name = text, .uid = found->pw_uid, .gid = found->pw_gid};
    return NULL;
}

bool user_may_become(void)
{
    return geteuid() == 0;
}

static bool has_ids(const struct user *user)
{
    uid_t uids[3];
    gid_t gids[3];
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != user->uid || gids[i] != user->gid)
            return false;
    return getgroups(0, NULL) == 0;
}

/* The C library has no wrapper. */
static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data) != 0)
        return true;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (data[i].permitted != 0 || data[i].effective != 0)
            return true;
    return false;
}

/* Whether there is a way back. */
static bool is_root_still(const struct user *user)
{
    return !has_ids(user) || has_capabilities() || setuid(0) == 0 || setgid(0) == 0;
}

int user_become(const struct user *user)
{
    if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -errno;
    return is_root_still(user) ? -ENOTRECOVERABLE : 0;
}
