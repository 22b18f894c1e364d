/* SPDX-License-Identifier: MIT
 *
 * Confining this process. Landlock by its system calls, which the C library has no wrappers for, and with numbers of our
 * own, since headers are older than kernels; seccomp by filter.h.
 */
#include "confine.h"
#include "filter.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h of Linux 6.12, as far as it is needed: version 6. The numbers are those of every processor. */
enum { CREATE_RULESET = 444, ADD_RULE, RESTRICT_SELF };
enum { WHICH_VERSION = 1, PATH_BENEATH = 1 };

static const uint64_t read_file = UINT64_C(1) << 2, remove_file = UINT64_C(1) << 5;

struct ruleset {
    uint64_t files, net, scoped; /* what is forbidden but for rules, as bits */
};

struct rule {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

/* All that this version can forbid. */
static struct ruleset everything(int version)
{
    struct ruleset all = {.files = (1 << 13) -
                                   1}; /* running, writing, reading, listing, removing, making of each kind */
    if (version >= 2)
        all.files |= 1 << 13; /* linking and renaming across folders */
    if (version >= 3)
        all.files |= 1 << 14; /* truncating */
    if (version >= 4)
        all.net = 3; /* TCP: binding, connecting */
    if (version >= 5)
        all.files |= 1 << 15; /* ioctl(2) on devices */
    if (version >= 6)
        all.scoped = 3; /* abstract Unix sockets, signals */
    return all;
}

static int allow_below(int ruleset, int folder, uint64_t what)
{
    const struct rule rule = {.allowed = what, .folder = folder};
    return syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0) == 0 ? 0 : -errno;
}

static int restrict_files(const struct confinement *keep)
{
    long version = syscall(CREATE_RULESET, NULL, 0, WHICH_VERSION);
    if (version < 1)
        return version < 0 ? -errno : -ENOSYS;
    const struct ruleset all = everything((int)version);
    int ruleset = (int)syscall(CREATE_RULESET, &all, sizeof all, 0);
    if (ruleset < 0)
        return -errno;
    int error = keep->reads >= 0 ? allow_below(ruleset, keep->reads, read_file) : 0;
    if (error == 0 && keep->removes >= 0)
        error = allow_below(ruleset, keep->removes, remove_file);
    if (error == 0 && syscall(RESTRICT_SELF, ruleset, 0) != 0)
        error = -errno;
    close(ruleset);
    return error == 0 ? (int)version : error;
}

struct confined confine(const struct confinement *keep)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return (struct confined){.landlock = -errno, .seccomp = -errno};
    int landlock = restrict_files(keep); /* whose system calls the filter does not allow */
    const struct filter filter = {.opens = keep->reads >= 0, .unlinks = keep->removes >= 0, .ring = keep->ring};
    return (struct confined){.landlock = landlock, .seccomp = filter_install(&filter)};
}

const char *confine_strerror(int error)
{
    switch (error) {
    case -ENOSYS:
    case -EOPNOTSUPP: /* Landlock's word for switched off, and libseccomp's for none */
        return "the kernel has none, or it is switched off";
    case -ENOPKG:
        return "built without libseccomp";
    default:
        return strerror(-error);
    }
}
