#include "request.h"

#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_MAX = 1024, KEEP_TEXT_BYTES = 2048, RETRY_AFTER_S = 1 };

static struct request *pool;
static int pooled;

static void forget_text(struct text *t)
{
    if (t->cap > KEEP_TEXT_BYTES)
        text_free(t);
    text_reset(t);
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
    struct text body = r->body, reply = r->reply.body;
    memset(r, 0, sizeof *r);
    r->body = body;
    r->reply.body = reply;
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
    free(r);
}

void request_unref(struct request *r)
{
    if (!r || --r->refs > 0)
        return;
    ticket_fields_free(&r->fields);
    forget_text(&r->body);
    forget_text(&r->reply.body);
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

static void put_hex(char *to, const uint8_t *from, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *to++ = hex[from[i] >> 4];
        *to++ = hex[from[i] & 15];
    }
    *to = '\0';
}

void request_identify(struct request *r)
{
    uint8_t a[16], b[16];
    const struct gate *g = &r->gate;
    uuid7_make(a);
    if (g->request_id && request_id_valid(g->request_id))
        memcpy(r->request_id, g->request_id, strlen(g->request_id) + 1);
    else
        put_hex(r->request_id, a, sizeof a);
    if (g->traceparent && traceparent_valid(g->traceparent)) {
        memcpy(r->traceparent, g->traceparent, sizeof r->traceparent);
        return;
    }
    uuid7_make(b);
    memcpy(r->traceparent, "00-", 3);
    put_hex(r->traceparent + 3, a, 16);
    r->traceparent[35] = '-';
    put_hex(r->traceparent + 36, b + 8, 8);
    memcpy(r->traceparent + 52, "-01", 4);
}

static void reply_start(struct request *r, unsigned status)
{
    r->reply.status = status;
    text_reset(&r->reply.body);
}

static void problem(struct request *r, enum problem p, const char *detail,
                    const struct violations *v)
{
    reply_start(r, (unsigned)problem_status(p));
    r->reply.is_problem = true;
    if (r->reply.status == MHD_HTTP_SERVICE_UNAVAILABLE)
        r->reply.retry_after_s = RETRY_AFTER_S;
    problem_write(&r->reply.body, p, detail, v, r->request_id);
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

void reply_ticket(struct request *r, unsigned status, const struct store_ticket *ticket)
{
    char id[UUID_TEXT_LEN + 1];
    struct text *t = &r->reply.body;
    uuid_format(ticket->id, id);
    reply_start(r, status);
    snprintf(r->reply.location, sizeof r->reply.location, "/v1/tickets/%s", ticket->ref);
    text_str(t, "{\"ref\":\"");
    text_str(t, ticket->ref);
    text_str(t, "\",\"id\":\"");
    text_str(t, id);
    text_str(t, "\",\"state\":\"");
    text_str(t, ticket->state);
    text_str(t, "\",\"created_at\":\"");
    text_time(t, ticket->created_us);
    text_str(t, "\"}\n");
}

void reply_json(struct request *r, unsigned status, const char *json)
{
    reply_start(r, status);
    text_str(&r->reply.body, json);
    text_str(&r->reply.body, "\n");
}
