/* Tickets of a client: the table of routes, GET /v1/tickets/{ref} and its events. */
#include "tickets.h"

#include "ask.h"
#include "query.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"

#include <limits.h>
#include <string.h>

enum { EVENTS_DEFAULT = 100, EVENTS_MAX = 1000 };

const struct pg_stmt ticket_view_stmt = {"ticket_view", sql_ticket_view, 3, false};
static const struct pg_stmt ticket_versions = {"ticket_versions", sql_ticket_versions, 1, false};
static const struct pg_stmt ticket_events = {"ticket_events", sql_ticket_events, 5, false};

bool ticket_named(struct request *r, const char **ret_ref, const char **ret_id)
{
    char ref[TICKET_REF_LEN + 1];
    uint8_t id[16];
    const char *name = r->param[0];
    *ret_ref = *ret_id = NULL;
    if (ticket_ref_parse(name, strlen(name), ref))
        *ret_ref = request_keep(r, ref, TICKET_REF_LEN);
    else if (uuid_parse(name, strlen(name), id))
        *ret_id = name;
    else
        reply_problem(r, PROBLEM_NOT_FOUND,
                      "This is not a reference: ten symbols as XXXXX-XXXXX, the last one a check.");
    return *ret_ref || *ret_id;
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
    if (QUERY_EMPTY(r) && ticket_named(r, &ref, &id))
        ASK(r, &ticket_view_stmt, on_ticket, ask_client_id(r), ref, id);
}

/* (outcome, body, -, last) */
static void on_events(struct request *r, const PGresult *res)
{
    reply_row(r, res);
    if (PQntuples(res) && !PQgetisnull(res, 0, 3))
        reply_headerf(r, "Link", "</v1/tickets/%s/events?after=%s>; rel=\"next\"", r->param[0],
                      PQgetvalue(res, 0, 3));
}

static void get_events(struct request *r)
{
    const char *ref, *id;
    long after = -1, limit = EVENTS_DEFAULT;
    if (QUERY_KNOWN(r, "after", "limit") && query_number(r, "after", 0, LONG_MAX, &after) &&
        query_number(r, "limit", 1, EVENTS_MAX, &limit) && ticket_named(r, &ref, &id))
        ASK(r, &ticket_events, on_events, ask_client_id(r), ref, id, request_keepf(r, "%ld", after),
            request_keepf(r, "%ld", limit));
}

static const struct route routes[] = {
    {"POST", "/v1/tickets", tickets_post, SCOPE_TICKETS_WRITE, TAKES_JSON | TAKES_FORM,
     GIVES_JSON | GIVES_HTML | NEEDS_SEAL},
    {"GET", "/v1/tickets", tickets_list, SCOPE_TICKETS_READ, TAKES_NOTHING, GIVES_JSON},
    {"GET", "/v1/tickets/{}", get_ticket, SCOPE_TICKETS_READ, TAKES_NOTHING, GIVES_JSON},
    {"PATCH", "/v1/tickets/{}", tickets_patch, SCOPE_TICKETS_WRITE, TAKES_PATCH | TAKES_JSON,
     GIVES_JSON},
    {"POST", "/v1/tickets/{}/cancel", tickets_cancel, SCOPE_TICKETS_WRITE,
     TAKES_JSON | TAKES_OPTIONAL, GIVES_JSON},
    {"GET", "/v1/tickets/{}/events", get_events, SCOPE_TICKETS_READ, TAKES_NOTHING, GIVES_JSON},
    {"POST", "/v1/calls/{}/{}/ticket", tickets_post_call, SCOPE_CALLS_WRITE, TAKES_JSON,
     GIVES_JSON | NEEDS_SEAL},
};

static const struct pg_stmt *const stmts[] = {
    &ticket_view_stmt,  &ticket_versions, &ticket_events,     &tickets_page_stmt,
    &ticket_amend_stmt, &ticket_id_stmt,  &ticket_cancel_stmt};

const struct resource tickets_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                          sizeof stmts / sizeof *stmts};
