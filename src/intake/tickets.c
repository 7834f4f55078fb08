/* Tickets of a client: GET /v1/tickets/{ref} and what else is done with them. */
#include "tickets.h"

#include "ask.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"

#include <string.h>

static const struct pg_stmt ticket_view = {"ticket_view", sql_ticket_view, 3, false};
static const struct pg_stmt ticket_versions = {"ticket_versions", sql_ticket_versions, 1, false};

/* The reference of the path as it is stored, or an id; the other one is NULL. False: neither. */
static bool name_ticket(struct request *r, const char **ret_ref, const char **ret_id)
{
    char ref[TICKET_REF_LEN + 1];
    uint8_t id[16];
    const char *name = r->param[0];
    *ret_ref = *ret_id = NULL;
    if (ticket_ref_parse(name, strlen(name), ref))
        *ret_ref = request_keep(r, ref, TICKET_REF_LEN);
    else if (uuid_parse(name, strlen(name), id))
        *ret_id = name;
    return *ret_ref || *ret_id;
}

static void not_a_reference(struct request *r)
{
    reply_problem(r, PROBLEM_NOT_FOUND,
                  "This is not a reference: ten symbols as XXXXX-XXXXX, the last one a check.");
}

/* (outcome, body, version, id) */
static void on_ticket(struct request *r, const PGresult *res)
{
    if (PQntuples(res) &&
        request_wait(r, &ticket_versions, PQgetvalue(res, 0, 3), PQgetvalue(res, 0, 2)))
        return;
    reply_row(r, res);
    reply_header(r, "Cache-Control", "private, no-cache");
}

static void get_ticket(struct request *r)
{
    const char *ref, *id;
    if (name_ticket(r, &ref, &id))
        ASK(r, &ticket_view, on_ticket, ask_client_id(r), ref, id);
    else
        not_a_reference(r);
}

static const struct route routes[] = {
    {"POST", "/v1/tickets", tickets_post, SCOPE_TICKETS_WRITE, TAKES_JSON, GIVES_JSON},
    {"GET", "/v1/tickets/{}", get_ticket, SCOPE_TICKETS_READ, TAKES_NOTHING, GIVES_JSON},
    {"POST", "/v1/calls/{}/{}/ticket", tickets_post_call, SCOPE_CALLS_WRITE, TAKES_JSON,
     GIVES_JSON},
};

static const struct pg_stmt *const stmts[] = {&ticket_view, &ticket_versions};

const struct resource tickets_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                          sizeof stmts / sizeof *stmts};
