#include "endpoints.h"

#include "intake.h"
#include "sha.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char unavailable[] =
    "PostgreSQL did not answer in time. Nothing is known to be stored; send the same again.";
static const char busy[] = "Send the same again after the time in Retry-After.";

/* --- POST /v1/tickets, POST /v1/calls/{provider}/{call_id}/ticket --- */

static struct request *request_of_store(struct store_item *item)
{
    return (struct request *)((char *)item - offsetof(struct request, store));
}

static void on_stored(struct store_item *item, const struct store_ticket *ticket)
{
    struct request *r = request_of_store(item);
    switch (ticket->outcome) {
    case STORE_CREATED:
        reply_ticket(r, MHD_HTTP_CREATED, ticket);
        break;
    case STORE_REPLAYED:
        reply_ticket(r, item->batch.is_call ? MHD_HTTP_OK : MHD_HTTP_CREATED, ticket);
        r->reply.replayed = true;
        break;
    case STORE_OTHER_BODY:
        reply_problem(r, PROBLEM_KEY_REUSED,
                      "Idempotency-Key names an earlier ticket with another body.");
        break;
    case STORE_REFUSED:
        reply_problem(r, PROBLEM_REFUSED, "PostgreSQL refused the ticket's data.");
        break;
    case STORE_UNAVAILABLE:
        reply_problem(r, PROBLEM_UNAVAILABLE, unavailable);
        break;
    }
    http_answer(r);
}

static void on_store_released(struct store_item *item)
{
    request_unref(request_of_store(item));
}

/* Checks the body and hands the ticket to the store. key is hashed with its length. */
static void store_ticket(struct request *r, const char *key, size_t key_len, bool is_call)
{
    static struct violations violations;
    uint8_t hash[SHA256_BYTES];
    if (ticket_validate(r->body.data ? r->body.data : "", r->body.len, is_call ? "phone" : "web",
                        &r->fields, &violations)) {
        reply_violations(r, &violations);
        return;
    }
    struct store_item *item = &r->store;
    *item = (struct store_item){
        .batch = {.client_id = r->client_id, .is_call = is_call},
        .fields = &r->fields,
        .call_provider = is_call ? r->param[0] : NULL,
        .call_id = is_call ? r->param[1] : NULL,
        .traceparent = r->traceparent,
        .deadline_ms = now_ms() + (uint64_t)r->intake->request_timeout_ms,
        .answer = on_stored,
        .release = on_store_released,
    };
    sha256(key, key_len, hash);
    memcpy(item->batch.key_hash, hash, KEY_HASH_BYTES);
    sha256(r->body.data, r->body.len, item->batch.body_hash);
    enum store_refusal refusal = store_add(r->intake->store, item);
    if (refusal == STORE_TAKEN)
        request_ref(r);
    else if (refusal == STORE_FULL)
        reply_problem(r, PROBLEM_BUSY, busy);
    else
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL is not reachable. Nothing was stored.");
}

static void post_ticket(struct request *r)
{
    const char *key = r->gate.idempotency_key;
    if (!key)
        reply_problem(r, PROBLEM_KEY_MISSING,
                      "Send a header Idempotency-Key of your own making, a new one a ticket.");
    else if (!idempotency_key_valid(key))
        reply_problem(r, PROBLEM_KEY_INVALID,
                      "Idempotency-Key must have 1 to 255 printable ASCII characters.");
    else
        store_ticket(r, key, strlen(key), false);
}

static void post_call_ticket(struct request *r)
{
    /* The zeros keep calls apart from idempotency keys, which are printable. */
    char key[2 * PARAM_MAX_BYTES + 8];
    if (!call_provider_valid(r->param[0]) || !call_id_valid(r->param[1])) {
        reply_problem(r, PROBLEM_NOT_FOUND,
                      "A provider has 1 to 32 of A-Z a-z 0-9 . _ -, a call 1 to 128 visible ASCII "
                      "characters.");
        return;
    }
    int n = snprintf(key, sizeof key, "call%c%s%c%s", 0, r->param[0], 0, r->param[1]);
    store_ticket(r, key, (size_t)n, true);
}

/* --- GET /v1/tickets/{ref}, POST /v1/assignments/{id}/complete --- */

static struct request *request_of_lookup(struct lookup_item *item)
{
    return (struct request *)((char *)item - offsetof(struct request, lookup));
}

static void on_lookup_released(struct lookup_item *item)
{
    request_unref(request_of_lookup(item));
}

static void look_up(struct request *r)
{
    r->lookup.deadline_ms = now_ms() + (uint64_t)r->intake->request_timeout_ms;
    r->lookup.release = on_lookup_released;
    request_ref(r);
    if (!lookup_add(r->intake->lookup, &r->lookup)) {
        request_unref(r);
        reply_problem(r, PROBLEM_UNAVAILABLE, busy);
    }
}

static void on_ticket(struct lookup_item *item, const PGresult *res, const struct err *err)
{
    struct request *r = request_of_lookup(item);
    (void)err;
    if (!res)
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL did not answer in time.");
    else if (PQntuples(res) == 0)
        reply_problem(r, PROBLEM_NOT_FOUND, "You have no ticket with this reference.");
    else
        reply_json(r, MHD_HTTP_OK, PQgetvalue(res, 0, 0));
    http_answer(r);
}

static void get_ticket(struct request *r)
{
    const char *ref = r->param[0];
    r->lookup =
        (struct lookup_item){.kind = LOOKUP_TICKET, .client_id = r->client_id, .answer = on_ticket};
    if (ticket_ref_parse(ref, strlen(ref), r->lookup.ref) ||
        uuid_parse(ref, strlen(ref), r->lookup.id))
        look_up(r);
    else
        reply_problem(r, PROBLEM_NOT_FOUND,
                      "This is not a reference: ten symbols as XXXXX-XXXXX, the last one a check.");
}

static void on_completed(struct lookup_item *item, const PGresult *res, const struct err *err)
{
    struct request *r = request_of_lookup(item);
    const char *outcome = res && PQntuples(res) ? PQgetvalue(res, 0, 0) : "";
    (void)err;
    if (strcmp(outcome, "completed") == 0 || strcmp(outcome, "already") == 0)
        reply_json(r, MHD_HTTP_OK, PQgetvalue(res, 0, 1));
    else if (strcmp(outcome, "gone") == 0)
        reply_problem(r, PROBLEM_GONE,
                      "The expert could not be told of it, so it went to someone else.");
    else if (strcmp(outcome, "missing") == 0)
        reply_problem(r, PROBLEM_NOT_FOUND, "There is no such assignment.");
    else
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL did not answer in time.");
    http_answer(r);
}

static void post_complete(struct request *r)
{
    const char *id = r->param[0];
    r->lookup = (struct lookup_item){.kind = LOOKUP_COMPLETE,
                                     .actor = r->actor,
                                     .traceparent = r->traceparent,
                                     .answer = on_completed};
    if (uuid_parse(id, strlen(id), r->lookup.id))
        look_up(r);
    else
        reply_problem(r, PROBLEM_NOT_FOUND, "There is no such assignment.");
}

/* --- GET /livez, GET /readyz --- */

static void get_livez(struct request *r)
{
    reply_json(r, MHD_HTTP_OK, "{\"status\":\"alive\"}");
}

static void get_readyz(struct request *r)
{
    const struct intake *in = r->intake;
    if (in->draining)
        reply_problem(r, PROBLEM_UNAVAILABLE, "Draining: this process is about to stop.");
    else if (!store_up(in->store) || !clients_loaded(lookup_clients(in->lookup)))
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL is not reachable.");
    else
        reply_json(r, MHD_HTTP_OK, "{\"status\":\"ready\"}");
}

#define ROUTE(m, p, fn, client, json)                                                              \
    {                                                                                              \
        .method = m, .pattern = p, .handle = fn, .needs_client = client, .takes_json = json        \
    }
const struct route intake_routes[] = {
    ROUTE("POST", "/v1/tickets", post_ticket, true, true),
    ROUTE("GET", "/v1/tickets/{}", get_ticket, true, false),
    ROUTE("POST", "/v1/calls/{}/{}/ticket", post_call_ticket, true, true),
    ROUTE("POST", "/v1/assignments/{}/complete", post_complete, true, false),
    ROUTE("GET", "/livez", get_livez, false, false),
    ROUTE("GET", "/readyz", get_readyz, false, false),
};
const size_t intake_routes_count = sizeof intake_routes / sizeof *intake_routes;

/* --- before every route --- */

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    return type && strncasecmp(type, json, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

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

/* True: go on. False: a reply is set, or the request waits for a fresh list. */
static bool admit(struct request *r)
{
    struct clients *clients = lookup_clients(r->intake->lookup);
    const struct client *client = find_client(r, clients);
    if (client) {
        r->client_id = client->id;
        snprintf(r->actor, sizeof r->actor, "client %s", client->name);
        return true;
    }
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

void endpoint_dispatch(struct request *r)
{
    if (r->route->needs_client && !admit(r))
        return;
    if (r->route->takes_json && !is_json(r->gate.content_type))
        reply_problem(r, PROBLEM_MEDIA_TYPE, "Send Content-Type: application/json.");
    else
        r->route->handle(r);
}
