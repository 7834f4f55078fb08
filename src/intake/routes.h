/*
 * routes.h - the static table of what squad-intake serves.
 *
 * Finding a route knows nothing of the rest; the endpoints are in endpoints.c.
 */
#pragma once

#include "request.h"

struct route {
    const char *method, *pattern; /* {} in the pattern is one path segment */
    /* Called when the body is complete. Fills r->reply, or arranges that http_answer
     * is called later. */
    void (*handle)(struct request *r);
    bool needs_client, takes_json;
};

/* Sets r->route and r->param, or the reply: 404, or 405 with Allow. */
void route_find(const struct route *routes, size_t n, const char *method, const char *path,
                struct request *r);
