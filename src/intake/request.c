#include "request.h"

#include "accept.h"
#include "form.h"
#include "hex.h"
#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_MAX = 1024, KEEP_TEXT_BYTES = 2048 };

struct kept {
    struct kept *next;
    char text[];
};

static struct request *pool;
static int pooled;

static void forget_text(struct text *t)
{
    if (t->cap > KEEP_TEXT_BYTES)
        text_free(t);
    text_reset(t);
}

static void forget_kept(struct request *r)
{
    while (r->kept) {
        struct kept *next = r->kept->next;
        free(r->kept);
        r->kept = next;
    }
}

struct request *request_new(struct intake *intake)
{
    struct request *r = pool;
    if (r) {
        pool = r->next;
        pooled--;
    } else {
        r = mem_new(1, sizeof *r);
    }
    struct text body = r->body, reply = r->reply.body, heads = r->reply.heads;
    memset(r, 0, sizeof *r);
    r->body = body;
    r->reply.body = reply;
    r->reply.heads = heads;
    r->intake = intake;
    r->refs = 1;
    return r;
}

void request_ref(struct request *r)
{
    r->refs++;
}

static void destroy(struct request *r)
{
    text_free(&r->body);
    text_free(&r->reply.body);
    text_free(&r->reply.heads);
    free(r);
}

void request_unref(struct request *r)
{
    if (!r || --r->refs > 0)
        return;
    ticket_fields_free(&r->fields);
    forget_text(&r->body);
    forget_text(&r->reply.body);
    forget_text(&r->reply.heads);
    forget_kept(r);
    if (pooled == POOL_MAX) {
        destroy(r);
        return;
    }
    r->next = pool;
    pool = r;
    pooled++;
}

void request_pool_free(void)
{
    while (pool) {
        struct request *next = pool->next;
        destroy(pool);
        pool = next;
    }
    pooled = 0;
}

void request_identify(struct request *r)
{
    uint8_t a[16], b[16];
    const struct gate *g = &r->gate;
    uuid7_make(a);
    if (g->request_id && request_id_valid(g->request_id))
        memcpy(r->request_id, g->request_id, strlen(g->request_id) + 1);
    else
        hex_put(r->request_id, a, sizeof a);
    if (g->traceparent && traceparent_valid(g->traceparent)) {
        memcpy(r->traceparent, g->traceparent, sizeof r->traceparent);
        return;
    }
    uuid7_make(b);
    memcpy(r->traceparent, "00-", 3);
    hex_put(r->traceparent + 3, a, 16);
    r->traceparent[35] = '-';
    hex_put(r->traceparent + 36, b + 8, 8);
    memcpy(r->traceparent + 52, "-01", 4);
}

static char *keep_room(struct request *r, size_t n)
{
    struct kept *k = mem_new(1, sizeof *k + n + 1);
    k->next = r->kept;
    r->kept = k;
    return k->text;
}

char *request_keep(struct request *r, const char *s, size_t n)
{
    return memcpy(keep_room(r, n), s, n);
}

char *request_keepf(struct request *r, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t n = (size_t)vsnprintf(NULL, 0, fmt, ap);
    char *to = keep_room(r, n);
    vsnprintf(to, n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return to;
}

const char *request_arg(struct request *r, const char *name)
{
    struct form form;
    const char *why, *value = NULL;
    if (!r->query || form_urlencoded(r->query, strlen(r->query), &form, &why))
        return NULL;
    const char *found = form_value(&form, name);
    if (found)
        value = request_keep(r, found, strlen(found));
    form_free(&form);
    return value;
}

bool request_from_browser(const struct request *r)
{
    const char *accept = r->gate.accept;
    return accept && accept_weight(accept, "text/html") > accept_weight(accept, "application/json");
}
