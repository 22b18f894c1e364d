/* SPDX-License-Identifier: MIT
 *
 * A user's program, built against an installed ferry by its pkg-config file and its CMake package, as C and as C++. It
 * starts a pool and stops it, so that the library is not only linked, but runs.
 */
#include <ferry/ferry.h>
#include <stdio.h>

static void stop(void *pool)
{
    ferry_pool_stop((ferry_pool *)pool);
}

int main(void)
{
    ferry_pool_options options = {};
    options.threads = 2;
    ferry_pool *pool = ferry_pool_new(&options);
    if (pool == NULL) {
        perror("ferry_pool_new");
        return 1;
    }
    ferry_post(ferry_pool_loop(pool, 1), stop, pool);
    int result = ferry_pool_run(pool);
    ferry_pool_free(pool);
    printf("ferry %s\n", ferry_version());
    return result == 0 ? 0 : 1;
}
