/* What happens to a ticket that an expert has, by its reference; and why it is with whom it is. */
#include "ask.h"
#include "members.h"
#include "query.h"
#include "resources.h"
#include "route.h"
#include "sql.h"
#include "tickets.h"

#include <string.h>

static const struct pg_stmt job_of = {"job_of", sql_job_of, 2, false};
static const struct pg_stmt job_move = {"job_move", sql_job_move, 5, false};
static const struct pg_stmt job_complete = {"job_complete", sql_assignment_complete, 3, false};
static const struct pg_stmt reassign = {"ticket_reassign", sql_ticket_reassign, 7, false};
static const struct pg_stmt prioritize = {"ticket_prioritize", sql_ticket_prioritize, 7, false};
static const struct pg_stmt why = {"ticket_why", sql_ticket_why, 2, false};

static const struct member who[] = {{.name = "expert_id", .kind = MEMBER_ID}};

/* (assignment, state, expert): then the step of the route, for the expert that the body names. */
static void on_job(struct request *r, const PGresult *res)
{
    const char *value[MEMBERS_MAX], *step = strrchr(r->route->pattern, '/') + 1;
    if (!PQntuples(res)) {
        reply_problem(r, PROBLEM_NOT_FOUND, "There is no such ticket, or nobody has had it.");
        return;
    }
    const char *job = request_keep(r, PQgetvalue(res, 0, 0), strlen(PQgetvalue(res, 0, 0)));
    if (!members_read(r, who, 1, value))
        return;
    if (value[0] && strcmp(value[0], PQgetvalue(res, 0, 2)) != 0)
        reply_problem(r, PROBLEM_NOT_FOUND, "This expert does not have this ticket.");
    else if (strcmp(step, "complete") == 0)
        ASK(r, &job_complete, reply_row, job, r->actor, r->traceparent);
    else
        ASK(r, &job_move, reply_row, job, value[0],
            strcmp(step, "arrived") == 0 ? "on_site" : "en_route", r->actor, r->traceparent);
}

static void post_step(struct request *r)
{
    const char *ref, *id, *value[MEMBERS_MAX];
    if (members_read(r, who, 1, value) && ticket_named(r, &ref, &id))
        ASK(r, &job_of, on_job, ref, id);
}

static void post_reassign(struct request *r)
{
    static const struct member members[] = {{.name = "expert_id", .kind = MEMBER_ID},
                                            {.name = "reason", .kind = MEMBER_TEXT, .max = 64},
                                            {.name = "override", .kind = MEMBER_BOOL}};
    const char *ref, *id, *value[MEMBERS_MAX];
    if (members_read(r, members, 3, value) && ticket_named(r, &ref, &id))
        ASK_ONCE(r, &reassign, reply_row, ref, id, value[0], value[1],
                 value[2] ? value[2] : "false", r->actor, r->traceparent);
}

static void put_priority(struct request *r)
{
    static const struct member members[] = {
        {.name = "priority", .kind = MEMBER_WHOLE, .min = 1, .max = 5},
        {.name = "assign_due", .kind = MEMBER_TIME},
        {.name = "reason", .kind = MEMBER_TEXT, .max = 64}};
    const char *ref, *id, *value[MEMBERS_MAX];
    if (members_read(r, members, 3, value) && ticket_named(r, &ref, &id))
        ASK_ONCE(r, &prioritize, reply_row, ref, id, value[0], value[1], value[2], r->actor,
                 r->traceparent);
}

static void get_why(struct request *r)
{
    const char *ref, *id;
    if (QUERY_EMPTY(r) && ticket_named(r, &ref, &id))
        ASK(r, &why, reply_row, ref, id);
}

static const struct route routes[] = {
    {"POST", "/v1/tickets/{}/en-route", post_step, SCOPE_JOBS_WRITE, TAKES_JSON | TAKES_OPTIONAL,
     GIVES_JSON},
    {"POST", "/v1/tickets/{}/arrived", post_step, SCOPE_JOBS_WRITE, TAKES_JSON | TAKES_OPTIONAL,
     GIVES_JSON},
    {"POST", "/v1/tickets/{}/complete", post_step, SCOPE_JOBS_WRITE, TAKES_JSON | TAKES_OPTIONAL,
     GIVES_JSON},
    {"POST", "/v1/tickets/{}/reassign", post_reassign, SCOPE_EXPERTS_WRITE,
     TAKES_JSON | TAKES_OPTIONAL, GIVES_JSON},
    {"PUT", "/v1/tickets/{}/priority", put_priority, SCOPE_EXPERTS_WRITE, TAKES_JSON, GIVES_JSON},
    {"GET", "/v1/tickets/{}/why", get_why, SCOPE_EXPERTS_READ, TAKES_NOTHING, GIVES_JSON},
};
static const struct pg_stmt *const stmts[] = {&job_of,   &job_move,   &job_complete,
                                              &reassign, &prioritize, &why};

const struct resource jobs_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                       sizeof stmts / sizeof *stmts};
