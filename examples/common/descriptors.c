/* SPDX-License-Identifier: MIT
 *
 * The limit of descriptors.h: from the soft one to the hard one.
 */
#include "descriptors.h"

#include <limits.h>
#include <sys/resource.h>

unsigned long descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ULONG_MAX; /* then it is for open(2) to say */
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    return limit.rlim_cur;
}
