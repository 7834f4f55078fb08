#include "endpoints.h"

#include "accept.h"
#include "admit.h"
#include "intake.h"
#include "media.h"
#include "route.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void on_clients(struct clients_waiter *w)
{
    struct request *r = (struct request *)((char *)w - offsetof(struct request, waiter));
    http_answer(r); /* without a reply: dispatched again */
    request_unref(r);
}

static const struct client *find_client(struct request *r, struct clients *clients)
{
    const char *h = r->gate.authorization;
    if (!h || strncasecmp(h, "Bearer ", 7) != 0)
        return NULL;
    h += 7;
    return clients_find(clients, h + strspn(h, " "));
}

/* True: go on. False: a reply is set. */
static bool allow(struct request *r, const struct client *client)
{
    char detail[96];
    r->client_id = client->id;
    snprintf(r->actor, sizeof r->actor, "client %.64s", client->name);
    admit_origin(r, client);
    if (!admit_client(r->intake->admit, r, client))
        return false;
    if (client->scopes & (unsigned)r->route->scope)
        return true;
    snprintf(detail, sizeof detail, "This key lacks the scope %s.", scope_name(r->route->scope));
    reply_problem(r, PROBLEM_FORBIDDEN, detail);
    return false;
}

/* True: go on. False: a reply is set, or the request waits for a fresh list. */
static bool admit(struct request *r)
{
    struct clients *clients = lookup_clients(r->intake->lookup);
    const struct client *client = find_client(r, clients);
    if (client)
        return allow(r, client);
    if (r->gate.authorization && !r->waited_for_clients) {
        r->waited_for_clients = true;
        r->waiter.refreshed = on_clients;
        if (clients_wait(clients, &r->waiter)) {
            request_ref(r);
            return false;
        }
    }
    if (!clients_loaded(clients))
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL is not reachable.");
    else
        reply_problem(r, PROBLEM_UNAUTHORIZED,
                      r->gate.authorization ? "The API key is not known, or it was revoked."
                                            : "Send a header Authorization: Bearer KEY.");
    return false;
}

static bool acceptable(const struct request *r)
{
    static const struct {
        unsigned gives;
        const char *type;
    } types[] = {
        {GIVES_JSON, "application/json"}, {GIVES_HTML, "text/html"}, {GIVES_TEXT, "text/plain"}};
    if (!r->gate.accept)
        return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((r->route->gives & types[i].gives) && accept_weight(r->gate.accept, types[i].type) > 0)
            return true;
    return false;
}

void endpoint_dispatch(struct request *r)
{
    const struct route *route = r->route;
    if (route->scope && !admit(r))
        return;
    bool no_body = (route->takes & TAKES_OPTIONAL) && !r->body.len;
    if (route->takes && !no_body && !(media_of(r->gate.content_type) & route->takes)) {
        char detail[160];
        snprintf(detail, sizeof detail, "Send Content-Type: %s.", media_names(route->takes));
        reply_problem(r, PROBLEM_MEDIA_TYPE, detail);
    } else if (!acceptable(r)) {
        reply_problem(r, PROBLEM_NOT_ACCEPTABLE,
                      "Accept names nothing that this address answers with.");
    } else if ((route->gives & NEEDS_SEAL) && !seal_ready(r->intake->seal)) {
        reply_problem(r, PROBLEM_UNAVAILABLE, "Nothing was stored. Please try again in a moment.");
    } else {
        route->handle(r);
    }
}
