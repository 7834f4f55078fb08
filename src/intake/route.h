/*
 * route.h - what squad-intake serves: each resource is a table of routes and
 * of the statements they need, all listed in resources.c.
 *
 * A new endpoint is a row here, a file in sql/queries/intake and a handler.
 */
#pragma once

#include "client.h"
#include "pg.h"

#include <stdbool.h>
#include <stddef.h>

struct request;

/* Media types that a route's body may have. TAKES_OPTIONAL: there may be none. */
enum takes {
    TAKES_NOTHING = 0,
    TAKES_JSON = 1,
    TAKES_FORM = 2,
    TAKES_PATCH = 4,
    TAKES_OPTIONAL = 8
};
/* Media types that it answers with; problem+json always goes. NEEDS_SEAL: it makes or opens tokens
 * of seal.h, so until the secrets are known it is 503, before anything is stored. */
enum gives { GIVES_JSON = 1, GIVES_HTML = 2, GIVES_TEXT = 4, NEEDS_SEAL = 8 };

struct route {
    const char *method, *pattern; /* {} in the pattern is one path segment */
    /* Called when the body is complete. Sets r->reply, or arranges that http_answer is
     * called later. May be called again for the same request (request_wait). */
    void (*handle)(struct request *r);
    enum scope scope; /* what the client must be allowed; 0: no key is needed */
    unsigned takes, gives;
};

/* True when the route is for people: its errors are pages. */
static inline bool route_is_page(const struct route *route)
{
    return (route->gives & ~(unsigned)NEEDS_SEAL) == GIVES_HTML;
}

struct resource {
    const struct route *routes;
    size_t n_routes;
    const struct pg_stmt *const *stmts; /* prepared on the session of lookup.h */
    size_t n_stmts;
};

/* NULL-terminated. */
extern const struct resource *const public_resources[];
extern const struct resource *const admin_resources[];

/* Sets r->route and r->param, or the reply: 404, or 405 with Allow. */
void route_find(const struct resource *const *resources, const char *method, const char *path,
                struct request *r);
