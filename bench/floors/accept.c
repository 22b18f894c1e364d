/* SPDX-License-Identifier: MIT
 *
 * floors: accept, and close.
 */
#include "floor.h"

#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    int listener = floor_listen();
    for (;;)
        close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}
