/* SPDX-License-Identifier: MIT
 *
 * Text of strangers: whether it is UTF-8, and how it is shown on a terminal, which would obey what it says.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whether it is UTF-8 as RFC 3629 has it: no longer forms than needed, no surrogates, nothing above U+10FFFF. */
bool text_valid(const char *text, size_t len);

/* Prints it as one line of harmless characters, and a newline. A tab is a tab; other control characters are ^A to ^_
 * and ^?; each byte that is not of UTF-8, and the control characters of U+0080 to U+009F, become U+FFFD. */
void text_print(FILE *to, const char *text, size_t len);

#endif
