/* For load balancers and supervisors, without a key: GET /livez, GET /readyz. */
#include "intake.h"
#include "request.h"
#include "resources.h"
#include "route.h"

static void get_livez(struct request *r)
{
    reply_json(r, MHD_HTTP_OK, "{\"status\":\"alive\"}");
}

static void get_readyz(struct request *r)
{
    const struct intake *in = r->intake;
    if (in->draining)
        reply_problem(r, PROBLEM_UNAVAILABLE, "Draining: this process is about to stop.");
    else if (!store_up(in->store) || !clients_loaded(lookup_clients(in->lookup)) ||
             !seal_ready(in->seal))
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL is not reachable.");
    else
        reply_json(r, MHD_HTTP_OK, "{\"status\":\"ready\"}");
}

static const struct route routes[] = {
    {"GET", "/livez", get_livez, 0, TAKES_NOTHING, GIVES_JSON | GIVES_TEXT},
    {"GET", "/readyz", get_readyz, 0, TAKES_NOTHING, GIVES_JSON | GIVES_TEXT},
};

const struct resource health_resource = {routes, sizeof routes / sizeof *routes, NULL, 0};
