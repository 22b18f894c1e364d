/* SPDX-License-Identifier: MIT
 *
 * Addresses as users write them: taken or refused; and a literal one survives the way to the kernel's form and back.
 */
#include "fuzz.h"
#include "sys/addr.h"

#include <errno.h>
#include <ferry/server.h>
#include <stdlib.h>
#include <string.h>

static void there_and_back(const struct fy_addr *addr)
{
    struct fy_sockaddr first[4], second[4];
    struct fy_addr again;
    char text[FY_ADDR_TEXT];
    int count = fy_addr_resolve(addr, true, first, 4);
    MUST(count != 0 && count <= 4);
    for (int i = 0; i < count; i++) {
        int len = fy_addr_format(&first[i], text, sizeof text);
        MUST(len > 0 && (size_t)len == strlen(text));
        MUST(fy_addr_parse(text, &again) == 0);
        MUST(fy_addr_resolve(&again, true, second, 4) >= 1);
        MUST(second[0].len == first[i].len && memcmp(&second[0].storage, &first[i].storage, first[i].len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fy_addr addr;
    char *text = malloc(size + 1);
    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    int error = ferry_address_check(text);
    MUST(error == 0 || error == -EINVAL);
    MUST(error == fy_addr_parse(text, &addr));
    if (error == 0 && fy_addr_is_literal(&addr))
        there_and_back(&addr);
    free(text);
    return 0;
}
