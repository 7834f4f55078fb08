/*
 * text.h - a growing piece of text: JSON and times without printf.
 *
 * Reused by text_reset; out of memory aborts. Knows nothing of HTTP or SQL.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* owned; NUL-terminated once something was put */
    size_t len, cap;
};

void text_free(struct text *t);
void text_reset(struct text *t); /* keeps the memory */
/* Appends bytes, a text, a number. The text grows as it must. */
void text_put(struct text *t, const char *data, size_t n);
void text_str(struct text *t, const char *s);
void text_int(struct text *t, int64_t v);
void text_json(struct text *t, const char *s); /* with quotes, escaped; s is valid UTF-8 */

/* RFC 3339 in UTC with microseconds, from microseconds since 1970. */
void text_time(struct text *t, int64_t epoch_us);

/* Makes room for n more bytes (and a NUL) and returns where they go; the caller adds to len. */
char *text_room(struct text *t, size_t n);
