/* A new ticket: POST /v1/tickets and POST /v1/calls/{provider}/{call_id}/ticket. */
#include "tickets.h"

#include "form_ticket.h"
#include "intake.h"
#include "media.h"
#include "route.h"
#include "sha.h"

#include <stdio.h>
#include <string.h>

static const char unavailable[] =
    "PostgreSQL did not answer in time. Nothing is known to be stored; send the same again.";
static const char busy[] = "Send the same again after the time in Retry-After.";

/* {"ref","id","state","created_at","tracking"} */
static void reply_ticket(struct request *r, unsigned status, const struct store_ticket *ticket,
                         const char *token)
{
    char id[UUID_TEXT_LEN + 1];
    struct text *t = reply_start(r, status, TYPE_JSON);
    uuid_format(ticket->id, id);
    text_str(t, "{\"ref\":\"");
    text_str(t, ticket->ref);
    text_str(t, "\",\"id\":\"");
    text_str(t, id);
    text_str(t, "\",\"state\":\"");
    text_str(t, ticket->state);
    text_str(t, "\",\"created_at\":\"");
    text_time(t, ticket->created_us);
    text_str(t, "\",\"tracking\":\"/t/");
    text_str(t, token);
    text_str(t, "\"}\n");
    reply_header_around(r, "Location", "/v1/tickets/", ticket->ref, "");
    reply_header_around(r, "Link", "</v1/tickets/", ticket->ref, ">; rel=\"status\"");
}

/* A browser is sent to the tracking page, which it can load again without posting again. */
static void reply_stored(struct request *r, unsigned status, const struct store_ticket *ticket)
{
    char token[SEAL_LEN + 1];
    seal_id(r->intake->seal, SEAL_TRACK, ticket->id, token);
    if (route_is_page(r->route) || request_from_browser(r))
        reply_see_other(r, request_keepf(r, "/t/%s", token));
    else
        reply_ticket(r, status, ticket, token);
}

static struct request *request_of_store(struct store_item *item)
{
    return (struct request *)((char *)item - offsetof(struct request, store));
}

static void on_stored(struct store_item *item, const struct store_ticket *ticket)
{
    struct request *r = request_of_store(item);
    switch (ticket->outcome) {
    case STORE_CREATED:
        reply_stored(r, MHD_HTTP_CREATED, ticket);
        break;
    case STORE_REPLAYED:
        reply_stored(r, item->batch.is_call ? MHD_HTTP_OK : MHD_HTTP_CREATED, ticket);
        reply_header(r, "Idempotency-Replayed", "true");
        break;
    case STORE_OTHER_BODY:
        reply_problem(r, PROBLEM_KEY_REUSED,
                      route_is_page(r->route)
                          ? "This form has been sent before. Open it anew for another request."
                          : "Idempotency-Key names an earlier ticket with another body.");
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

void ticket_hashes(const struct request *r, const char *key, size_t key_len,
                   uint8_t ret_key[KEY_HASH_BYTES], uint8_t ret_body[BODY_HASH_BYTES])
{
    uint8_t hash[SHA256_BYTES];
    sha256(key, key_len, hash);
    memcpy(ret_key, hash, KEY_HASH_BYTES);
    sha256(r->body.data, r->body.len, ret_body);
}

void ticket_store(struct request *r, const char *key, size_t key_len, bool is_call)
{
    struct store_item *item = &r->store;
    *item = (struct store_item){
        .batch = {.client_id = r->client_id, .is_call = is_call},
        .fields = &r->fields,
        .call_provider = is_call ? r->param[0] : NULL,
        .call_id = is_call ? r->param[1] : NULL,
        .traceparent = r->traceparent,
        .folds = is_call || route_is_page(r->route),
        .deadline_ms = now_ms() + (uint64_t)r->intake->request_timeout_ms,
        .answer = on_stored,
        .release = on_store_released,
    };
    ticket_hashes(r, key, key_len, item->batch.key_hash, item->batch.body_hash);
    switch (store_add(r->intake->store, item)) {
    case STORE_TAKEN:
        request_ref(r);
        break;
    case STORE_FULL:
        reply_problem(r, PROBLEM_BUSY, busy);
        break;
    case STORE_RUNNING:
        reply_problem(r, PROBLEM_KEY_RUNNING, busy);
        reply_header(r, "Retry-After", "1");
        break;
    case STORE_DOWN:
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL is not reachable. Nothing was stored.");
        break;
    }
}

static int read_form(struct request *r, const char *body, const char *source,
                     struct violations *violations)
{
    struct form form;
    if (form_read(body, r->body.len, r->gate.content_type, &form, violations))
        return -1;
    int failed = form_ticket(&form, NULL, source, &r->fields, violations);
    form_free(&form);
    return failed;
}

/* Checks the body and hands the ticket to the store. key is hashed with its length. */
static void take_ticket(struct request *r, const char *key, size_t key_len, bool is_call)
{
    static struct violations violations;
    const char *source = is_call ? "phone" : "web", *body = r->body.data ? r->body.data : "";
    int failed = media_of(r->gate.content_type) == TAKES_JSON
                     ? ticket_validate(body, r->body.len, source, &r->fields, &violations)
                     : read_form(r, body, source, &violations);
    if (failed)
        reply_violations(r, &violations);
    else
        ticket_store(r, key, key_len, is_call);
}

void tickets_post(struct request *r)
{
    const char *key = r->gate.idempotency_key;
    if (!key)
        reply_problem(r, PROBLEM_KEY_MISSING,
                      "Send a header Idempotency-Key of your own making, a new one a ticket.");
    else if (!idempotency_key_valid(key))
        reply_problem(r, PROBLEM_KEY_INVALID,
                      "Idempotency-Key must have 1 to 255 printable ASCII characters.");
    else
        take_ticket(r, key, strlen(key), false);
}

void tickets_post_call(struct request *r)
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
    take_ticket(r, key, (size_t)n, true);
}
