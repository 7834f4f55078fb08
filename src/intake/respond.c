#include "respond.h"

#include "request.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        abort();
}

/* draft-ietf-httpapi-ratelimit-headers-10 */
static void add_quota(const struct request *r, struct MHD_Response *response)
{
    char value[96];
    snprintf(value, sizeof value, "\"%s\";q=%ld;w=%ld", r->quota_of, r->quota.burst,
             r->quota.window_s);
    add_header(response, "RateLimit-Policy", value);
    snprintf(value, sizeof value, "\"%s\";r=%ld;t=%ld", r->quota_of, r->quota.left,
             r->quota.wait_s);
    add_header(response, "RateLimit", value);
}

static void add_origin(const struct request *r, struct MHD_Response *response)
{
    add_header(response, "Access-Control-Allow-Origin", r->gate.origin);
    add_header(response, "Access-Control-Expose-Headers",
               "ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, "
               "RateLimit-Policy, Retry-After, X-Request-Id, traceparent");
    add_header(response, "Vary", "Origin");
}

static void add_headers(const struct request *r, struct MHD_Response *response, bool close)
{
    const struct reply *y = &r->reply;
    const char *end = y->heads.data + y->heads.len;
    if (y->type)
        add_header(response, "Content-Type", y->type);
    add_header(response, "X-Request-Id", r->request_id);
    add_header(response, "traceparent", r->traceparent);
    for (const char *name = y->heads.data; name < end;) {
        const char *value = name + strlen(name) + 1;
        add_header(response, name, value);
        name = value + strlen(value) + 1;
    }
    if (r->quota_of)
        add_quota(r, response);
    if (r->origin_allowed)
        add_origin(r, response);
    if (close)
        add_header(response, "Connection", "close");
}

struct MHD_Response *respond(const struct request *r, bool close)
{
    const struct reply *y = &r->reply;
    size_t len = y->fixed ? y->fixed_len : y->body.len;
    void *data = y->fixed ? (void *)(uintptr_t)y->fixed : y->body.data;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, data, MHD_RESPMEM_PERSISTENT);
    if (response)
        add_headers(r, response, close);
    return response;
}
