/*
 * gate.h - what libmicrohttpd lets through and squad does not.
 *
 * Its parser accepts several hosts and lengths, both framings at once, blanks
 * before a colon and more: the stuff of request smuggling. The gate sees every
 * header before anything else is done, and a request it refuses is answered
 * and its connection closed. Pure.
 */
#pragma once

#include "problem.h"

#include <stdbool.h>
#include <stddef.h>

enum { TARGET_MAX_BYTES = 1024, BODY_MAX_BYTES = 64 * 1024 };

/* Headers squad looks at. Values are borrowed from the connection; NULL: not given. */
struct gate {
    const char *host, *content_length, *content_type, *authorization, *idempotency_key;
    const char *request_id, *traceparent, *accept, *prefer, *if_match, *if_none_match;
    const char *origin, *forwarded_for; /* of headers that may be repeated: the last one */
    bool target_bad, target_long;       /* filled by gate_target */
    bool transfer_encoding, twice, bad_character;
    size_t length; /* of the body, once gate_check said 0 */
};

/* The target as it stood in the request line. */
void gate_target(struct gate *g, const char *target);

void gate_header(struct gate *g, const char *name, size_t name_len, const char *value,
                 size_t value_len);

/* The verdict, when all headers were seen. PROBLEM_NONE: go on. *ret_detail is static. */
enum problem gate_check(struct gate *g, const char *method, const char *version,
                        const char **ret_detail);

/* True for the value of X-Request-Id that squad echoes: 1 to 64 of A-Z a-z 0-9 . _ - */
bool request_id_valid(const char *s);
/* W3C Trace Context, version 00. */
bool traceparent_valid(const char *s);
