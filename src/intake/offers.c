/* What an expert's app does with offers: list (long poll), accept, decline. */
#include "ask.h"
#include "members.h"
#include "query.h"
#include "resources.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct pg_stmt offers_list = {"offers_list", sql_offers_list, 1, false};
static const struct pg_stmt offers_versions = {"offers_versions", sql_offers_versions, 1, false};
static const struct pg_stmt offer_accept = {"offer_accept", sql_offer_accept, 4, false};
static const struct pg_stmt offer_decline = {"offer_decline", sql_offer_decline, 5, false};

/* Who "me" is: an API key is a system's, so the app says which expert it speaks for. */
static const char *me(struct request *r)
{
    const char *text = request_arg(r, "expert");
    char *end;
    long id = text ? strtol(text, &end, 10) : 0;
    if (text && *text >= '1' && *text <= '9' && !*end && id <= INT32_MAX)
        return text;
    reply_problem(r, PROBLEM_QUERY,
                  "expert must be the number of the expert: /v1/me/offers?expert=7");
    return NULL;
}

static void on_offers(struct request *r, const PGresult *res)
{
    if (PQntuples(res) && strcmp(PQgetvalue(res, 0, 0), "ok") == 0 &&
        request_wait(r, &offers_versions, request_arg(r, "expert"), PQgetvalue(res, 0, 2)))
        return;
    reply_row(r, res);
    reply_header(r, "Cache-Control", "private, no-cache");
}

static void get_offers(struct request *r)
{
    const char *expert = QUERY_KNOWN(r, "expert") ? me(r) : NULL;
    if (expert)
        ASK(r, &offers_list, on_offers, expert);
}

static bool offer_named(struct request *r)
{
    uint8_t uuid[16];
    if (uuid_parse(r->param[0], strlen(r->param[0]), uuid))
        return true;
    reply_problem(r, PROBLEM_NOT_FOUND, "There is no such offer.");
    return false;
}

/* Both may be said twice with the effect of once, so the statements may run again. */
static void post_accept(struct request *r)
{
    static const struct member members[] = {{.name = "expert_id", .kind = MEMBER_ID}};
    const char *value[MEMBERS_MAX];
    if (offer_named(r) && members_read(r, members, 1, value))
        ASK(r, &offer_accept, reply_row, r->param[0], value[0], r->actor, r->traceparent);
}

static void post_decline(struct request *r)
{
    static const struct member members[] = {
        {.name = "expert_id", .kind = MEMBER_ID},
        {.name = "reason",
         .kind = MEMBER_CHOICE,
         .choices = "busy, too_far, wrong_skill, unwell or other"}};
    const char *value[MEMBERS_MAX];
    if (offer_named(r) && members_read(r, members, 2, value))
        ASK(r, &offer_decline, reply_row, r->param[0], value[0], value[1] ? value[1] : "other",
            r->actor, r->traceparent);
}

static const struct route routes[] = {
    {"GET", "/v1/me/offers", get_offers, SCOPE_JOBS_WRITE, TAKES_NOTHING, GIVES_JSON},
    {"POST", "/v1/offers/{}/accept", post_accept, SCOPE_JOBS_WRITE, TAKES_JSON | TAKES_OPTIONAL,
     GIVES_JSON},
    {"POST", "/v1/offers/{}/decline", post_decline, SCOPE_JOBS_WRITE, TAKES_JSON | TAKES_OPTIONAL,
     GIVES_JSON},
};
static const struct pg_stmt *const stmts[] = {&offers_list, &offers_versions, &offer_accept,
                                              &offer_decline};

const struct resource offers_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                         sizeof stmts / sizeof *stmts};
