/*
 * gate.h - what libmicrohttpd lets through and squad does not.
 *
 * Its parser accepts several hosts and lengths, both framings at once, blanks
 * before a colon, bare line feeds, folded lines, and cuts values at a NUL: the
 * stuff of request smuggling. The gate reads the head byte by byte before
 * anything else is done, and a request it refuses is answered and its
 * connection closed. Pure.
 */
#pragma once

#include "problem.h"

#include <stdbool.h>
#include <stddef.h>

enum { HEAD_MAX_BYTES = 6 * 1024, TARGET_MAX_BYTES = 1024, BODY_MAX_BYTES = 64 * 1024 };

/* Headers squad looks at. Values are borrowed from the connection; NULL: not given. */
struct gate {
    const char *host, *content_length, *content_type, *content_encoding, *authorization;
    const char *idempotency_key, *request_id, *traceparent, *accept, *prefer, *if_match;
    const char *if_none_match;
    const char *origin, *forwarded_for; /* of headers that may be repeated: the last one */
    const char *target;                 /* these by gate_target */
    size_t target_len;
    bool target_bad, target_long;
    bool transfer_encoding, twice, bad_character, bad_line, head_large; /* these by gate_head */
    size_t n_headers;
    size_t length; /* of the body, once gate_check said 0 */
};

/* The target as it stood in the request line, borrowed until gate_head. */
void gate_target(struct gate *g, const char *target);

/*
 * The whole head, from the method to the empty line, as libmicrohttpd leaves it in its buffer
 * (get_next_header_line, process_header_line in connection.c, 0.9.75): CR and LF, the blanks of the
 * request line and the colon after a name are NULs. So a NUL, a bare LF or a folded line that the
 * client sent breaks this pattern:
 *   METHOD 0 TARGET 0 VERSION 0 0 { NAME 0 [blanks] VALUE 0 0 } 0 0
 * A library that leaves it otherwise makes every request a bad one, not a bad one good.
 */
void gate_head(struct gate *g, const char *head, size_t size);

/* The verdict, after gate_head. PROBLEM_NONE: go on. *ret_detail is static. */
enum problem gate_check(struct gate *g, const char *method, const char *version,
                        const char **ret_detail);

/* True for the value of X-Request-Id that squad echoes: 1 to 64 of A-Z a-z 0-9 . _ - */
bool request_id_valid(const char *s);
/* W3C Trace Context, version 00. */
bool traceparent_valid(const char *s);
