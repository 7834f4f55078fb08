/*
 * hex.h - hexadecimal digits.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Value of a digit of either case; -1: it is none. */
int hex_digit(char c);

/* n bytes as 2 n lower case digits and a NUL. */
void hex_put(char *to, const uint8_t *from, size_t n);
