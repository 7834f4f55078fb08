/* A new ticket: POST /v1/tickets and POST /v1/calls/{provider}/{call_id}/ticket. */
#include "tickets.h"

#include "intake.h"
#include "sha.h"

#include <stdio.h>
#include <string.h>

static const char unavailable[] =
    "PostgreSQL did not answer in time. Nothing is known to be stored; send the same again.";
static const char busy[] = "Send the same again after the time in Retry-After.";

/* {"ref","id","state","created_at","tracking"} */
static void reply_ticket(struct request *r, unsigned status, const struct store_ticket *ticket)
{
    char id[UUID_TEXT_LEN + 1], token[SEAL_LEN + 1];
    struct text *t = reply_start(r, status, TYPE_JSON);
    uuid_format(ticket->id, id);
    seal_id(r->intake->seal, SEAL_TRACK, ticket->id, token);
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
    reply_headerf(r, "Location", "/v1/tickets/%s", ticket->ref);
    reply_headerf(r, "Link", "</v1/tickets/%s>; rel=\"status\"", ticket->ref);
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
        reply_ticket(r, MHD_HTTP_CREATED, ticket);
        break;
    case STORE_REPLAYED:
        reply_ticket(r, item->batch.is_call ? MHD_HTTP_OK : MHD_HTTP_CREATED, ticket);
        reply_header(r, "Idempotency-Replayed", "true");
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
        store_ticket(r, key, strlen(key), false);
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
    store_ticket(r, key, (size_t)n, true);
}
