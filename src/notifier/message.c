#include "message.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(json_t *object, const char *name, const char *text)
{
    if (text && json_object_set_new(object, name, json_string(text)))
        abort();
}

static void put_object(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value))
        abort();
}

static void put_url(json_t *root, const char *name, const struct message *m, const char *before,
                    const char *id, const char *after)
{
    char *url;
    if (asprintf(&url, "%s%s%s%s", m->public_url, before, id, after) < 0)
        abort();
    put(root, name, url);
    free(url);
}

/* Everything about the ticket, or only which one it is. */
static json_t *ticket_of(const struct message *m, bool whole)
{
    json_t *ticket = json_object();
    put(ticket, "id", m->ticket_id);
    put(ticket, "type", m->ticket_type);
    put(ticket, "area", m->area);
    if (whole) {
        put(ticket, "problem", m->problem);
        put(ticket, "contract", m->contract);
    }
    put(ticket, "created_at", m->created_at);
    return ticket;
}

static json_t *customer_of(const struct message *m, bool email)
{
    json_t *customer = json_object();
    put(customer, "name", m->customer_name);
    put(customer, "phone", m->customer_phone);
    if (email)
        put(customer, "email", m->customer_email);
    return customer;
}

static void put_expert(json_t *root, const struct message *m)
{
    json_t *expert = json_object();
    put_object(expert, "id", json_integer(m->expert_id));
    put(expert, "name", m->expert_name);
    put_object(root, "expert", expert);
}

/* An offer, or the same with what has been changed. */
static void put_offer(json_t *root, const struct message *m)
{
    char *token = NULL;
    json_t *ticket = ticket_of(m, true);
    put(root, "ref", m->ref);
    put_object(ticket, "customer", customer_of(m, false));
    put_object(root, "ticket", ticket);
    put_expert(root, m);
    put_url(root, "complete_url", m, "/v1/assignments/", m->assignment_id, "/complete");
    if (!m->token)
        return;
    if (asprintf(&token, ".%s", m->token) < 0)
        abort();
    put_url(root, "offer_url", m, "/o/", m->assignment_id, token);
    free(token);
}

static void put_over(json_t *root, const struct message *m)
{
    put(root, "ref", m->ref);
    put(root, "state", m->offer_state);
    put(root, "reason", m->reason);
    put_object(root, "ticket", ticket_of(m, false));
    put_expert(root, m);
}

static void put_break(json_t *root, const struct message *m)
{
    put(root, "reason", m->reason);
    put_expert(root, m);
}

static void put_waiting(json_t *root, const struct message *m)
{
    bool customer = strcmp(m->recipient, "customer") == 0;
    json_t *ticket = ticket_of(m, !customer);
    put(root, "tell", m->recipient);
    put(root, "ref", m->ref);
    if (customer)
        put_object(ticket, "customer", customer_of(m, true));
    put_object(root, "ticket", ticket);
    put_url(root, customer ? "ticket_url" : "why_url", m, "/v1/tickets/", m->ref,
            customer ? "" : "/why");
}

static const struct {
    const char *type;
    void (*put)(json_t *root, const struct message *message);
} kinds[] = {{"offer", put_offer},
             {"amended", put_offer},
             {"over", put_over},
             {"break", put_break},
             {"waiting", put_waiting}};

char *message_make(const struct message *m)
{
    json_t *root = json_object();
    put(root, "type", m->type);
    put(root, "notice_id", m->notice_id);
    put(root, "assignment_id", m->assignment_id);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, m->type) == 0)
            kinds[i].put(root, m);
    char *text = json_dumps(root, JSON_COMPACT);
    if (!text)
        abort();
    json_decref(root);
    return text;
}
