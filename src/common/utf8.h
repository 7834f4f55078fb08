/*
 * utf8.h - text as PostgreSQL and JSON want it, in characters instead of bytes. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Well-formed (RFC 3629: no surrogates, nothing overlong) and without NUL. */
bool utf8_valid(const char *s, size_t n);

/* Characters (code points) of a text that is well-formed. */
size_t utf8_length(const char *s);
