/* PATCH /v1/tickets/{ref}: what the customer may correct while nobody is on the way. */
#include "tickets.h"

#include "ask.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

const struct pg_stmt ticket_amend_stmt = {"ticket_amend", sql_ticket_amend, 6, false};
const struct pg_stmt ticket_id_stmt = {"ticket_id", sql_ticket_id, 3, false};

static const struct {
    const char *parent, *name, *column;
} amendable[] = {
    {"", "problem", "problem"},
    {"/customer", "name", "customer_name"},
    {"/customer", "phone", "customer_phone"},
    {"/customer", "email", "customer_email"},
};

static void take_member(const char *parent, const char *name, json_t *value, json_t *change,
                        struct violations *v)
{
    for (size_t i = 0; i < sizeof amendable / sizeof *amendable; i++) {
        if (strcmp(amendable[i].parent, parent) != 0 || strcmp(amendable[i].name, name) != 0)
            continue;
        char pointer[32] = "";
        strcat(strcat(strcat(pointer, parent), "/"), name);
        ticket_check_member(pointer, value, v);
        json_object_set(change, amendable[i].column, value);
        return;
    }
    violate_unknown(parent, name, v);
}

/* A merge patch (RFC 7396) as columns and their new values, null included. */
static json_t *read_change(json_t *patch, struct violations *v)
{
    json_t *change = json_object(), *value, *inner;
    const char *name, *inner_name;
    if (!json_is_object(patch))
        violate(v, "", "must be a JSON object");
    json_object_foreach(patch, name, value)
    {
        if (strcmp(name, "customer") != 0)
            take_member("", name, value, change, v);
        else if (!json_is_object(value))
            violate(v, "/customer", "must be an object");
        else
            json_object_foreach(value, inner_name, inner)
                take_member("/customer", inner_name, inner, change, v);
    }
    if (!v->n && !json_object_size(change))
        violate(v, "", "changes nothing");
    return change;
}

/* The columns of the change as JSON text, kept; NULL: the reply is set. */
static const char *change_of(struct request *r)
{
    struct violations v = {0};
    const char *kept = NULL;
    json_t *patch = violations_read(r->body.data ? r->body.data : "", r->body.len, &v);
    json_t *change = patch ? read_change(patch, &v) : NULL;
    if (v.n) {
        reply_violations(r, &v);
    } else {
        char *text = json_dumps(change, JSON_COMPACT);
        kept = request_keep(r, text, strlen(text));
        free(text);
    }
    json_decref(change);
    json_decref(patch);
    return kept;
}

/* The one strong tag of If-Match, without its quotes; "" for a star. NULL: the reply is set. */
static const char *wanted_version(struct request *r)
{
    const char *tag = r->gate.if_match;
    size_t n = tag ? strlen(tag) : 0;
    if (!tag)
        reply_problem(r, PROBLEM_IF_MATCH, "Send the ticket's ETag in If-Match.");
    else if (strcmp(tag, "*") == 0)
        return "";
    else if (n >= 2 && tag[0] == '"' && tag[n - 1] == '"' && !memchr(tag + 1, '"', n - 2))
        return request_keep(r, tag + 1, n - 2);
    else
        reply_problem(r, PROBLEM_CHANGED,
                      "If-Match must be the one ETag of the ticket as it was read.");
    return NULL;
}

static void on_amended(struct request *r, const PGresult *res)
{
    const char *ref, *id;
    if (strcmp(PQgetvalue(res, 0, 0), "ok") != 0)
        reply_row(r, res);
    else if (ticket_named(r, &ref, &id))
        ASK(r, &ticket_view_stmt, reply_row, ask_client_id(r), ref, id);
}

static void on_id(struct request *r, const PGresult *res)
{
    if (PQntuples(res) == 0) {
        reply_row(r, res);
        return;
    }
    const char *version = wanted_version(r), *change = version ? change_of(r) : NULL;
    const char *id = PQgetvalue(res, 0, 0);
    if (change)
        ASK_ONCE(r, &ticket_amend_stmt, on_amended, ask_client_id(r),
                 request_keep(r, id, strlen(id)), *version ? version : NULL, change, r->actor,
                 r->traceparent);
}

void tickets_patch(struct request *r)
{
    const char *ref, *id;
    if (ticket_named(r, &ref, &id))
        ASK(r, &ticket_id_stmt, on_id, ask_client_id(r), ref, id);
}
