/* GET /v1/tickets: a client's tickets, newest first, a page at a time. */
#include "tickets.h"

#include "ask.h"
#include "query.h"
#include "seal.h"
#include "sql.h"
#include "state.h"
#include "ticket.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200, LOOK_AT_MAX = 20000, CURSOR_LEN = 22 };

const struct pg_stmt tickets_page_stmt = {"tickets_page", sql_tickets_page, 6, false};

/* The cursor is the id of the last ticket looked at. False: it is not one of ours. */
static bool read_cursor(struct request *r, const char **ret_id)
{
    const char *cursor = request_arg(r, "cursor");
    uint8_t id[16];
    char text[UUID_TEXT_LEN + 1];
    *ret_id = NULL;
    if (!cursor)
        return true;
    if (!base64url_read(cursor, id, sizeof id)) {
        reply_problem(r, PROBLEM_QUERY, "cursor must be taken from a Link of an earlier answer.");
        return false;
    }
    uuid_format(id, text);
    *ret_id = request_keep(r, text, UUID_TEXT_LEN);
    return true;
}

static bool read_state(struct request *r, const char **ret_state)
{
    *ret_state = request_arg(r, "state");
    if (!*ret_state || state_known(STATE_TICKET, *ret_state))
        return true;
    reply_problem(r, PROBLEM_QUERY, "state must be a state of tickets, as received or assigned.");
    return false;
}

/* Puts name=value with what a URL does not take escaped. */
static void put_parameter(struct text *t, const char *name, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char escape[4];
    text_str(t, "&");
    text_str(t, name);
    text_str(t, "=");
    for (; *value; value++) {
        if (strchr(plain, *value)) {
            text_put(t, value, 1);
        } else {
            snprintf(escape, sizeof escape, "%%%02X", (unsigned char)*value);
            text_str(t, escape);
        }
    }
}

static void link_next(struct request *r, const char *id)
{
    static const char *const kept[] = {"state", "customer", "limit"};
    uint8_t raw[16];
    char cursor[CURSOR_LEN + 1];
    struct text t = {0};
    if (!uuid_parse(id, strlen(id), raw))
        return;
    base64url(raw, sizeof raw, cursor);
    text_str(&t, "</v1/tickets?cursor=");
    text_str(&t, cursor);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = request_arg(r, kept[i]);
        if (value)
            put_parameter(&t, kept[i], value);
    }
    text_str(&t, ">; rel=\"next\"");
    reply_header(r, "Link", t.data);
    text_free(&t);
}

/* (outcome, body, -, next) */
static void on_page(struct request *r, const PGresult *res)
{
    reply_row(r, res);
    if (PQntuples(res) && !PQgetisnull(res, 0, 3))
        link_next(r, PQgetvalue(res, 0, 3));
}

void tickets_list(struct request *r)
{
    const char *before, *state;
    long limit = LIMIT_DEFAULT;
    if (QUERY_KNOWN(r, "cursor", "state", "customer", "limit") && read_cursor(r, &before) &&
        read_state(r, &state) && query_number(r, "limit", 1, LIMIT_MAX, &limit))
        ASK(r, &tickets_page_stmt, on_page, ask_client_id(r), before, state,
            request_arg(r, "customer"), request_keepf(r, "%ld", limit),
            request_keepf(r, "%d", LOOK_AT_MAX));
}
