/*
 * query.h - the parameters behind the ? of a request for the API.
 */
#pragma once

#include "request.h"

/*
 * The query can be read, and has no parameter but these: a misspelt filter must not look like no
 * filter. False: the reply is 400. Pages for people take any, because mail programs add their own.
 */
bool query_known(struct request *r, const char *const known[], size_t n);
#define QUERY_KNOWN(r, ...)                                                                        \
    query_known(r, (const char *const[]){__VA_ARGS__},                                             \
                sizeof(const char *const[]){__VA_ARGS__} / sizeof(const char *))
#define QUERY_EMPTY(r) query_known(r, NULL, 0)

/* A whole number in the query from min to max; not there, value stays. False: it is not one, and
 * the reply is 400. */
bool query_number(struct request *r, const char *name, long min, long max, long *value);
