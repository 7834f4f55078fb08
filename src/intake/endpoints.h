/*
 * endpoints.h - what each route does; the table of routes.
 */
#pragma once

#include "routes.h"

extern const struct route intake_routes[];
extern const size_t intake_routes_count;

/* The body is complete: checks the client, the media type and calls the route. On return the reply
 * is known, or http_answer will be called. */
void endpoint_dispatch(struct request *r);
