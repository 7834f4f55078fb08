/*
 * reply.h - building the answer to a request: status, any headers, a body.
 *
 * A reply is complete when its status is set; http.c sends it. Headers are
 * copied; whoever handles a request knows nothing of libmicrohttpd.
 */
#pragma once

#include "problem.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>

struct request;

struct reply {
    unsigned status; /* 0: not known yet */
    bool close;
    const char *type;  /* Content-Type, static; NULL: no body */
    struct text heads; /* name NUL value NUL ... */
    struct text body;
    const char *fixed; /* instead of body: lives as long as the program */
    size_t fixed_len;
};

extern const char TYPE_JSON[], TYPE_PROBLEM[], TYPE_HTML[];

/* Begins an answer anew: no headers, an empty body of this type. Returns the body to put to. */
struct text *reply_start(struct request *r, unsigned status, const char *type);

/* Adds a header; the value must be free of line ends. */
void reply_header(struct request *r, const char *name, const char *value);
void reply_headerf(struct request *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Likewise; the value is a text between two others. */
void reply_header_around(struct request *r, const char *name, const char *before, const char *text,
                         const char *after);

/* The first header of this name that was added; NULL: none. Borrowed. */
const char *reply_get_header(const struct reply *reply, const char *name);

/* The answer is JSON text. */
void reply_json(struct request *r, unsigned status, const char *json);

/* The answer is a text of the program's own, cached by clients for an hour. */
void reply_fixed(struct request *r, const char *type, const char *data, size_t len);

/* 303 to a path, for a browser. */
void reply_see_other(struct request *r, const char *path);

/* The answer is an error: problem+json, or a page when the request is a person's. detail is a
 * sentence. */
void reply_problem(struct request *r, enum problem p, const char *detail);
void reply_violations(struct request *r, const struct violations *v);

/*
 * Sets the ETag, and turns the 200 of a GET or HEAD into 304 when the client has this version
 * (If-None-Match).
 * version is what stands between the quotes. Call after the body was put. True: it became 304.
 */
bool reply_etag(struct request *r, const char *version);
/* If-None-Match or If-Match names the version (or *). False when the header is not there. */
bool etag_listed(const char *header, const char *version);
