/*
 * names.h - gives each distinct byte string a small number, from 0 up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
    struct name *items; /* owned; by number */
    uint32_t *slots;    /* owned; number + 1, 0: empty; a power of two of them */
    uint32_t n, n_slots;
};

enum { NAMES_NONE = -1 };

/* Number of a string, NAMES_NONE when it has none. */
int64_t names_find(const struct names *names, const void *bytes, size_t size);

/* Number of a string, a new one when it had none. */
uint32_t names_put(struct names *names, const void *bytes, size_t size);

void names_clear(struct names *names); /* frees everything; names can be used again */

/* The next item of a list separated by commas, which is moved behind it; false at its end. The item
 * is borrowed from the list. */
bool names_next(const char **list, const char **ret_item, size_t *ret_size);
