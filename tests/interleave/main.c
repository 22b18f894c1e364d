/* SPDX-License-Identifier: MIT
 *
 * PROGRAM [NAME]...: goes through its scenes, or those of these names.
 */
#include "scenes.h"

#include <stdio.h>
#include <string.h>

static bool is_wanted(const struct scene *scene, char **names)
{
    bool any = !*names;
    for (; *names; names++)
        any = any || strcmp(*names, scene->name) == 0;
    return any;
}

int main(int argc, char **argv)
{
    bool found = false;
    (void)argc;
    for (const struct scene *scene = scenes; scene->name; scene++)
        if (is_wanted(scene, argv + 1)) {
            explore(scene);
            found = true;
        }
    if (!found)
        printf("there is no such scene\n");
    return found ? 0 : 1;
}
