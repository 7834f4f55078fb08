/*
 * problem.h - every error squad-intake can answer: RFC 9457 problem+json.
 *
 * The type is a stable relative URI, documented in docs/http.md. Pure.
 */
#pragma once

#include "text.h"
#include "validate.h"

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
    PROBLEM_REFUSED,
    PROBLEM_BUSY,
    PROBLEM_UNAVAILABLE,
    PROBLEM_COUNT
};

int problem_status(enum problem p);

/* Puts the document. detail: a sentence; v may be NULL. */
void problem_write(struct text *t, enum problem p, const char *detail, const struct violations *v,
                   const char *request_id);
