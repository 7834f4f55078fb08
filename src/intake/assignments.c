/* What is done about an assignment: POST /v1/assignments/{id}/complete. */
#include "ask.h"
#include "resources.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"

#include <string.h>

static const struct pg_stmt complete = {"assignment_complete", sql_assignment_complete, 3, false};

static void post_complete(struct request *r)
{
    const char *id = r->param[0];
    uint8_t uuid[16];
    if (uuid_parse(id, strlen(id), uuid))
        ASK(r, &complete, reply_row, id, r->actor, r->traceparent);
    else
        reply_problem(r, PROBLEM_NOT_FOUND, "There is no such assignment.");
}

static const struct route routes[] = {
    {"POST", "/v1/assignments/{}/complete", post_complete, SCOPE_JOBS_WRITE, TAKES_NOTHING,
     GIVES_JSON},
};
static const struct pg_stmt *const stmts[] = {&complete};

const struct resource assignments_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                              sizeof stmts / sizeof *stmts};
