/*
 * json_place.h - where in a body of JSON a byte stands, without making a tree of it: how deep, and
 * as the value of which members. For what a parser does not say or does not limit. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { JSON_DEPTH_MAX = 32, JSON_ITEMS_MAX = 256 };

struct violations;

/* Outside strings, and behind which member's colon. Borrows the body. */
struct json_place {
    const char *body, *end;
    int depth, items;
    bool in_string;
    const char *string;  /* the last one's first byte behind the quote */
    const char *name[3]; /* at depth 1 and 2; NULL: between members */
};

/* jansson allows 2048 levels, each a recursion, and as many members as fit: false, with one
 * violation, for more than JSON_DEPTH_MAX levels or JSON_ITEMS_MAX members and elements. */
bool json_within_limits(const char *body, size_t len, struct violations *violations);

/* The place of the byte at position; what is not JSON has some place too. */
void json_place_at(const char *body, size_t len, size_t position, struct json_place *ret);

/* Is it in the value of the member of this name, in the body (depth 1) or in an object in it (2)? A
 * name written with escapes is not recognised. */
bool json_place_names(const struct json_place *place, int depth, const char *name);
