#include "message.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

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

static json_t *ticket_of(const struct message *m)
{
    json_t *ticket = json_object(), *customer = json_object();
    put(ticket, "id", m->ticket_id);
    put(ticket, "type", m->ticket_type);
    put(ticket, "area", m->area);
    put(ticket, "problem", m->problem);
    put(ticket, "contract", m->contract);
    put(ticket, "created_at", m->created_at);
    put(customer, "name", m->customer_name);
    put(customer, "phone", m->customer_phone);
    put_object(ticket, "customer", customer);
    return ticket;
}

char *message_make(const struct message *m)
{
    char *url;
    json_t *root = json_object(), *expert = json_object();
    if (asprintf(&url, "%s/v1/assignments/%s/complete", m->public_url, m->assignment_id) < 0)
        abort();
    put(root, "type", m->type);
    put(root, "notice_id", m->notice_id);
    put(root, "assignment_id", m->assignment_id);
    put(root, "ref", m->ref);
    put_object(root, "ticket", ticket_of(m));
    put_object(expert, "id", json_integer(m->expert_id));
    put(expert, "name", m->expert_name);
    put_object(root, "expert", expert);
    put(root, "complete_url", url);
    if (m->token) {
        free(url);
        if (asprintf(&url, "%s/o/%s.%s", m->public_url, m->assignment_id, m->token) < 0)
            abort();
        put(root, "offer_url", url);
    }
    char *text = json_dumps(root, JSON_COMPACT);
    if (!text)
        abort();
    json_decref(root);
    free(url);
    return text;
}
