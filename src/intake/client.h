/*
 * client.h - a system that may call, and what it may do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A bit each; the names are those of squad.client.scopes. */
enum scope {
    SCOPE_TICKETS_WRITE = 1,
    SCOPE_TICKETS_READ = 2,
    SCOPE_CALLS_WRITE = 4,
    SCOPE_JOBS_WRITE = 8,
    SCOPE_EXPERTS_READ = 16,
    SCOPE_EXPERTS_WRITE = 32,
    SCOPE_FORM = 64, /* its name is a form at /new/{name} */
};

enum { CLIENT_NAME_MAX = 64 };

struct client {
    int32_t id;
    char name[CLIENT_NAME_MAX * 4 + 1];
    uint8_t key_hash[32];
    unsigned scopes;
    int32_t rate_per_s, burst; /* 0: the default of the options */
    char *origins;             /* owned by the copy; NUL after each, one more at the end */
};

/* "tickets:write" or NULL. */
const char *scope_name(enum scope scope);
unsigned scope_parse(const char *name); /* 0: no such scope */

/* Pages of this origin may call in the client's name. */
bool client_origin_allowed(const struct client *client, const char *origin);
