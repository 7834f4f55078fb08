/*
 * members.h - small JSON bodies: which members they may have, and the values.
 *
 * A table says name, kind and rule; what breaks it is answered with 422 and a
 * pointer for each. Values are texts for a statement's parameters.
 */
#pragma once

#include "request.h"

#include <stdbool.h>
#include <stddef.h>

enum member_kind {
    MEMBER_TEXT,   /* 1 to max characters */
    MEMBER_CHOICE, /* one of choices */
    MEMBER_ID,     /* whole number from 1 */
    MEMBER_WHOLE,  /* whole number from min to max */
    MEMBER_NUMBER, /* from min to max */
    MEMBER_BOOL,   /* "true" or "false" */
    MEMBER_DAY,    /* 2026-11-24 */
    MEMBER_TIME,   /* RFC 3339 with a zone */
    MEMBER_ARRAY,  /* JSON text; each element is checked by check */
    MEMBER_OBJECT, /* likewise, each member's value */
};

struct member {
    const char *name;
    enum member_kind kind;
    bool required;
    double min, max;
    const char *choices; /* "busy, too_far or other" */
    /* Says what is wrong with an element, as "must be ..."; NULL: nothing. */
    const char *(*check)(const char *name, const json_t *value);
};

enum { MEMBERS_MAX = 8 };

/* The values in the order of the table, kept; NULL: not given. An empty body is an empty object.
 * False: the reply is set. */
bool members_read(struct request *r, const struct member *members, size_t n,
                  const char *ret[MEMBERS_MAX]);

/* An expert's number in the path, as text; NULL: the reply is set. */
const char *member_expert(struct request *r);

/* What PostgreSQL takes, in one form each: "08:00" to "24:00", "2026-11-24" (from the year 1),
 * "2026-11-24T08:00", and with seconds, a fraction if there is one, and Z or an offset. */
bool member_clock(const char *text);
bool member_day(const char *text);
bool member_local_time(const char *text);
bool member_time(const char *text);
