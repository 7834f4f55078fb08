#include "client.h"

#include <stddef.h>
#include <string.h>

static const struct {
    enum scope scope;
    const char *name;
} scopes[] = {
    {SCOPE_TICKETS_WRITE, "tickets:write"},
    {SCOPE_TICKETS_READ, "tickets:read"},
    {SCOPE_CALLS_WRITE, "calls:write"},
    {SCOPE_JOBS_WRITE, "jobs:write"},
    {SCOPE_EXPERTS_READ, "experts:read"},
    {SCOPE_EXPERTS_WRITE, "experts:write"},
    {SCOPE_FORM, "form"},
};

const char *scope_name(enum scope scope)
{
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (scopes[i].scope == scope)
            return scopes[i].name;
    return NULL;
}

unsigned scope_parse(const char *name)
{
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (strcmp(scopes[i].name, name) == 0)
            return scopes[i].scope;
    return 0;
}

bool client_origin_allowed(const struct client *client, const char *origin)
{
    for (const char *o = client->origins; o && *o; o += strlen(o) + 1)
        if (strcmp(o, origin) == 0)
            return true;
    return false;
}
