#include "reply.h"

#include "page.h"
#include "request.h"
#include "route.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_AFTER_S = 1 };

const char TYPE_JSON[] = "application/json";
const char TYPE_PROBLEM[] = "application/problem+json";
const char TYPE_HTML[] = "text/html; charset=utf-8";

struct text *reply_start(struct request *r, unsigned status, const char *type)
{
    r->reply.status = status;
    r->reply.type = type;
    r->reply.fixed = NULL;
    text_reset(&r->reply.heads);
    text_reset(&r->reply.body);
    return &r->reply.body;
}

void reply_header(struct request *r, const char *name, const char *value)
{
    text_put(&r->reply.heads, name, strlen(name) + 1);
    text_put(&r->reply.heads, value, strlen(value) + 1);
}

void reply_header_around(struct request *r, const char *name, const char *before, const char *text,
                         const char *after)
{
    struct text *t = &r->reply.heads;
    text_put(t, name, strlen(name) + 1);
    text_str(t, before);
    text_str(t, text);
    text_put(t, after, strlen(after) + 1);
}

void reply_headerf(struct request *r, const char *name, const char *fmt, ...)
{
    char value[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    reply_header(r, name, value);
}

const char *reply_get_header(const struct reply *reply, const char *name)
{
    const char *s = reply->heads.data, *end = s + reply->heads.len;
    while (s < end) {
        const char *value = s + strlen(s) + 1;
        if (strcmp(s, name) == 0)
            return value;
        s = value + strlen(value) + 1;
    }
    return NULL;
}

void reply_json(struct request *r, unsigned status, const char *json)
{
    struct text *t = reply_start(r, status, TYPE_JSON);
    text_str(t, json);
    text_str(t, "\n");
}

void reply_fixed(struct request *r, const char *type, const char *data, size_t len)
{
    reply_start(r, MHD_HTTP_OK, type);
    r->reply.fixed = data;
    r->reply.fixed_len = len;
    reply_header(r, "Cache-Control", "public, max-age=3600");
    reply_header(r, "X-Content-Type-Options", "nosniff");
}

void reply_see_other(struct request *r, const char *path)
{
    reply_start(r, MHD_HTTP_SEE_OTHER, NULL);
    reply_header(r, "Location", path);
}

static bool for_people(const struct request *r)
{
    return r->route ? route_is_page(r->route) : request_from_browser(r);
}

static void problem(struct request *r, enum problem p, const char *detail,
                    const struct violations *v)
{
    unsigned status = (unsigned)problem_status(p);
    if (for_people(r)) {
        page_problem(r, p, detail);
    } else {
        struct text *t = reply_start(r, status, TYPE_PROBLEM);
        problem_write(t, p, detail, v, r->request_id);
    }
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        reply_headerf(r, "Retry-After", "%d", RETRY_AFTER_S);
    if (status == MHD_HTTP_UNAUTHORIZED)
        reply_header(r, "WWW-Authenticate", "Bearer realm=\"squad\"");
}

void reply_problem(struct request *r, enum problem p, const char *detail)
{
    problem(r, p, detail, NULL);
}

void reply_violations(struct request *r, const struct violations *v)
{
    char detail[256];
    snprintf(detail, sizeof detail, "%s %s%s",
             v->list[0].pointer[0] ? v->list[0].pointer : "The body", v->list[0].detail,
             v->n > 1 ? ", and more." : ".");
    problem(r, v->malformed ? PROBLEM_MALFORMED : PROBLEM_VALIDATION, detail, v);
}

/* A list of quoted tags, perhaps weak, or a star. */
bool etag_listed(const char *header, const char *version)
{
    size_t n = strlen(version);
    if (!header)
        return false;
    for (const char *s = header + strspn(header, " \t"); *s;) {
        if (*s == '*')
            return true;
        if (strncmp(s, "W/", 2) == 0)
            s += 2;
        if (*s != '"')
            return false;
        const char *end = strchr(++s, '"');
        if (!end)
            return false;
        if ((size_t)(end - s) == n && memcmp(s, version, n) == 0)
            return true;
        s = end + 1;
        s += strspn(s, ", \t");
    }
    return false;
}

bool reply_etag(struct request *r, const char *version)
{
    reply_headerf(r, "ETag", "\"%s\"", version);
    bool reads = strcmp(r->route->method, "GET") == 0; /* HEAD too */
    if (!reads || r->reply.status != MHD_HTTP_OK || !etag_listed(r->gate.if_none_match, version))
        return false;
    r->reply.status = MHD_HTTP_NOT_MODIFIED;
    r->reply.type = NULL;
    text_reset(&r->reply.body);
    return true;
}
