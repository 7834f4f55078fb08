/* POST /v1/tickets/{ref}/cancel: the customer needs nobody any more. */
#include "tickets.h"

#include "ask.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

const struct pg_stmt ticket_cancel_stmt = {"ticket_cancel", sql_ticket_cancel, 6, false};

/* Codes, because a reason goes into history and events, where no words of people belong. */
static const char *const reasons[] = {"no_longer_needed", "duplicate", "mistake", "other"};

static const char *known_reason(const json_t *value)
{
    for (size_t i = 0; json_is_string(value) && i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(json_string_value(value), reasons[i]) == 0)
            return reasons[i];
    return NULL;
}

/* The reason of the body, static, or NULL when it names none. False: the reply is set. */
static bool read_reason(struct request *r, const char **ret_reason)
{
    struct violations v = {0};
    const char *name;
    json_t *value,
        *root = r->body.len ? violations_read(r->body.data, r->body.len, &v) : json_object();
    *ret_reason = NULL;
    if (root && !json_is_object(root))
        violate(&v, "", "must be a JSON object");
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, "reason") != 0)
            violate_unknown("", name, &v);
        else if (!(*ret_reason = known_reason(value)))
            violate(&v, "/reason", "must be no_longer_needed, duplicate, mistake or other");
    }
    json_decref(root);
    if (v.n)
        reply_violations(r, &v);
    return v.n == 0;
}

/* Calling off twice has the effect of once, so the statement may run again. */
void tickets_cancel(struct request *r)
{
    const char *ref, *id, *reason;
    if (ticket_named(r, &ref, &id) && read_reason(r, &reason))
        ASK(r, &ticket_cancel_stmt, reply_row, ask_client_id(r), ref, id, reason, r->actor,
            r->traceparent);
}
