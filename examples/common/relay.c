/* SPDX-License-Identifier: MIT
 *
 * The command line of the relay; see relay.h.
 */
#include "relay.h"

#include <err.h>
#include <string.h>

enum { STATUS_USAGE = 2 };

static bool parse_way(const char *way)
{
    bool copy = strcmp(way, "copy") == 0;
    if (!copy && strcmp(way, "splice") != 0)
        errx(STATUS_USAGE, "--by takes splice or copy, not '%s'", way);
    return copy;
}

relay_flags relay_parse(int argc, char **argv)
{
    const char *way = "splice";
    const example_flag own[] = {
        {.name = "by", .value = "WAY", .help = "splice, or copy through the program (default: splice)", .text = &way},
        {.name = NULL},
    };
    const example_usage usage = {.listen = "127.0.0.1:2100", .operand = "TARGET", .flags = own};
    relay_flags flags = {.common = example_parse(argc, argv, &usage)};
    flags.target = flags.common.operand;
    if (ferry_address_check(flags.target) < 0)
        errx(STATUS_USAGE, "the TARGET must be an address, not '%s'; see --help", flags.target);
    flags.copy = parse_way(way);
    return flags;
}
