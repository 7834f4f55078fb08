/*
 * scan.h - the members of a plain JSON object in one pass over its bytes.
 *
 * For the body that nearly every ticket has: an object of texts, with one
 * object of texts inside. jansson makes a tree of it first, which cost a fifth
 * of intake's time. Whatever is not as expected (another type or member, a
 * member twice, surrogates, anything wrong) is left to jansson, which stays the
 * judge: a test holds the two equal on millions of documents. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct scan_member {
    const char *name;
    const char *text; /* UTF-8 without NUL, within memory; NULL: not there, or null */
    bool seen;
};

/* inner belongs to the member inner_name of the outer object. memory holds the len bytes, is
 * written over, and has room for one more. False: let jansson read it. */
bool scan_texts(char *memory, size_t len, struct scan_member *outer, size_t n_outer,
                const char *inner_name, struct scan_member *inner, size_t n_inner);
