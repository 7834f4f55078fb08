/*
 * problem.h - every error squad-intake can answer: RFC 9457 problem+json.
 *
 * The type is a stable relative URI, which squad-intake serves as a page. Pure.
 */
#pragma once

#include "text.h"
#include "violations.h"

enum problem {
    PROBLEM_NONE,
    PROBLEM_BAD_REQUEST,
    PROBLEM_VERSION,
    PROBLEM_TARGET_LONG,
    PROBLEM_LENGTH_REQUIRED,
    PROBLEM_TOO_LARGE,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD,
    PROBLEM_MEDIA_TYPE,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_KEY_MISSING,
    PROBLEM_KEY_INVALID,
    PROBLEM_KEY_REUSED,
    PROBLEM_MALFORMED,
    PROBLEM_VALIDATION,
    PROBLEM_GONE,
    PROBLEM_FORBIDDEN,
    PROBLEM_NOT_ACCEPTABLE,
    PROBLEM_MISDIRECTED,
    PROBLEM_TOO_MANY,
    PROBLEM_HEADERS_LARGE,
    PROBLEM_KEY_RUNNING,
    PROBLEM_CONFLICT,
    PROBLEM_CHANGED,
    PROBLEM_IF_MATCH,
    PROBLEM_QUERY,
    PROBLEM_INTERNAL,
    PROBLEM_REFUSED,
    PROBLEM_BUSY,
    PROBLEM_UNAVAILABLE,
    PROBLEM_COUNT
};

/* Its HTTP status. */
int problem_status(enum problem p);
const char *problem_slug(enum problem p);   /* its type is /problems/SLUG */
const char *problem_title(enum problem p);  /* what went wrong, the same each time */
const char *problem_advice(enum problem p); /* when it comes and what to do, for people */

enum problem problem_by_slug(const char *slug); /* PROBLEM_INTERNAL: unknown */

/* Puts the document. detail: a sentence; v may be NULL. */
void problem_write(struct text *t, enum problem p, const char *detail, const struct violations *v,
                   const char *request_id);
