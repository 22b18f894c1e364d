/* SPDX-License-Identifier: MIT
 *
 * server: the version, as the header says it.
 */
#include <ferry/ferry.h>

#define TEXT_OF(number) #number
#define DOTTED(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *ferry_version(void)
{
    return DOTTED(FERRY_VERSION_MAJOR, FERRY_VERSION_MINOR, FERRY_VERSION_PATCH);
}
