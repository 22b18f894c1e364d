/* SPDX-License-Identifier: MIT
 *
 * The decoder of text.h: a character at a time.
 */
#include "text.h"

#include <stdint.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* How many bytes a character has that begins with this one: 1 to 4; 0 = none does. */
static size_t character_size(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Takes the character at the beginning apart: how many bytes it has, or 0 if there is none. */
static size_t decode(const char *text, size_t len, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)text;
    size_t size = character_size(byte[0]);
    *character = byte[0];
    if (size <= 1 || size > len)
        return size == 1;
    uint32_t value = byte[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (byte[i] & 0x3f);
    }
    *character = value;
    bool surrogate = value >= 0xd800 && value < 0xe000;
    return value < smallest[size] || surrogate || value > 0x10ffff ? 0 : size;
}

bool text_valid(const char *text, size_t len)
{
    uint32_t character;
    for (size_t at = 0, size; at < len; at += size) {
        size = decode(text + at, len - at, &character);
        if (size == 0)
            return false;
    }
    return true;
}

static void print_character(FILE *to, const char *bytes, size_t size, uint32_t character)
{
    if ((character < 0x20 && character != '\t') || character == 0x7f)
        fprintf(to, "^%c", (int)(character ^ 0x40));
    else if (size == 0 || (character >= 0x80 && character < 0xa0))
        fputs(replacement, to);
    else
        fwrite(bytes, 1, size, to);
}

void text_print(FILE *to, const char *text, size_t len)
{
    uint32_t character;
    for (size_t at = 0; at < len;) {
        size_t size = decode(text + at, len - at, &character);
        print_character(to, text + at, size, character);
        at += size ? size : 1; /* what is no character is a byte */
    }
    putc('\n', to);
}
