#include "delivery.h"

#include "crash.h"
#include "mem.h"
#include "message.h"
#include "signature.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { /* columns of claim.sql */
       COL_ID,
       COL_ATTEMPTS,
       COL_MAX_ATTEMPTS,
       COL_BASE_MS,
       COL_CAP_MS,
       COL_TIMEOUT_MS,
       COL_TRACEPARENT,
       COL_MESSAGE,
       COL_ASSIGNMENT_ID,
       COL_TICKET_ID,
       COL_REF,
       COL_TYPE,
       COL_AREA,
       COL_PROBLEM,
       COL_CONTRACT,
       COL_CREATED_AT,
       COL_CUSTOMER_NAME,
       COL_CUSTOMER_PHONE,
       COL_CUSTOMER_EMAIL,
       COL_EXPERT_ID,
       COL_EXPERT_NAME,
       COL_ADDRESS,
       COL_SECRET,
       COL_HOST,
       COL_TOKEN,
       COL_RECIPIENT,
       COL_OFFER_STATE,
       COL_REASON,
       COL_DROPPED,
};

/* Whom a notice goes to. */
struct recipient {
    bool is_expert;
    const char *address, *secret;
};

static char *body_of(const PGresult *res, int row, const char *public_url)
{
    struct message m = {
        .type = pg_get_text(res, row, COL_MESSAGE),
        .notice_id = pg_get_text(res, row, COL_ID),
        .assignment_id = pg_get_text(res, row, COL_ASSIGNMENT_ID),
        .recipient = pg_get_text(res, row, COL_RECIPIENT),
        .offer_state = pg_get_text(res, row, COL_OFFER_STATE),
        .reason = pg_get_text(res, row, COL_REASON),
        .ticket_id = pg_get_text(res, row, COL_TICKET_ID),
        .ref = pg_get_text(res, row, COL_REF),
        .ticket_type = pg_get_text(res, row, COL_TYPE),
        .area = pg_get_text(res, row, COL_AREA),
        .problem = pg_get_text(res, row, COL_PROBLEM),
        .contract = pg_get_text(res, row, COL_CONTRACT),
        .created_at = pg_get_text(res, row, COL_CREATED_AT),
        .customer_name = pg_get_text(res, row, COL_CUSTOMER_NAME),
        .customer_phone = pg_get_text(res, row, COL_CUSTOMER_PHONE),
        .customer_email = pg_get_text(res, row, COL_CUSTOMER_EMAIL),
        .expert_id =
            PQgetisnull(res, row, COL_EXPERT_ID) ? 0 : (int)pg_get_int8(res, row, COL_EXPERT_ID),
        .expert_name = pg_get_text(res, row, COL_EXPERT_NAME),
        .token = pg_get_text(res, row, COL_TOKEN),
        .public_url = public_url,
    };
    return message_make(&m);
}

/* Without a secret the message goes unsigned: that is the receiver's choice. False when the secret
 * can not be used. */
static bool sign(const struct delivery *d, const char *id, const char *secret, int64_t now_s,
                 char *header, size_t size)
{
    char signature[SIGNATURE_LEN + 1];
    *header = '\0';
    if (!secret || !*secret)
        return true;
    if (!signature_make(secret, id, now_s, d->body, strlen(d->body), signature))
        return false;
    snprintf(header, size, "webhook-signature: %s", signature);
    return true;
}

static struct recipient recipient_of(const PGresult *res, int row, const struct company *company)
{
    const char *name = pg_get_text(res, row, COL_RECIPIENT);
    if (strcmp(name, "expert") != 0)
        return (struct recipient){false, company->webhook, company->secret};
    return (struct recipient){true, pg_get_text(res, row, COL_ADDRESS),
                              pg_get_text(res, row, COL_SECRET)};
}

static const char *begin(struct sender *sender, struct delivery *d, const struct recipient *to,
                         const PGresult *res, int row)
{
    const char *id = pg_get_text(res, row, COL_ID);
    const char *traceparent = pg_get_text(res, row, COL_TRACEPARENT);
    char head[4][128];
    int64_t now_s = wall_us() / 1000000;
    if (!to->address || !*to->address)
        return to->is_expert ? "the expert has no address for this channel"
                             : "there is no --company-webhook";
    snprintf(head[0], sizeof head[0], "webhook-id: %s", id);
    snprintf(head[1], sizeof head[1], "webhook-timestamp: %" PRId64, now_s);
    if (!sign(d, id, to->secret, now_s, head[2], sizeof head[2]))
        return to->is_expert ? "the expert's signing secret is not whsec_ and base 64"
                             : "--company-secret is not whsec_ and base 64";
    snprintf(head[3], sizeof head[3], "traceparent: %.55s", traceparent ? traceparent : "");
    struct post post = {.url = to->address,
                        .body = d->body,
                        .timeout_ms = d->policy.timeout_ms,
                        .ctx = d,
                        .headers = {"content-type: application/json", head[0], head[1]}};
    int n = 3;
    if (*head[2])
        post.headers[n++] = head[2];
    if (traceparent)
        post.headers[n++] = head[3];
    CRASH_POINT("notifier.send.before");
    if (sender_post(sender, &post))
        return NULL;
    return to->is_expert ? "the expert's address is not an http or https URL"
                         : "--company-webhook is not an http or https URL";
}

static void free_delivery(struct delivery *d)
{
    free(d->body);
    free(d);
}

struct delivery *delivery_begin(struct sender *sender, struct hosts *hosts, struct results *results,
                                const struct company *company, const PGresult *res, int row)
{
    if (pg_get_bool(res, row, COL_DROPPED))
        return NULL;
    struct recipient to = recipient_of(res, row, company);
    struct delivery *d = mem_new(1, sizeof *d);
    pg_get_uuid(res, row, COL_ID, d->notice);
    d->attempt = (int)pg_get_int8(res, row, COL_ATTEMPTS);
    d->policy = (struct retry_policy){.max_attempts = (int)pg_get_int8(res, row, COL_MAX_ATTEMPTS),
                                      .base_ms = (int)pg_get_int8(res, row, COL_BASE_MS),
                                      .cap_ms = (int)pg_get_int8(res, row, COL_CAP_MS),
                                      .timeout_ms = (int)pg_get_int8(res, row, COL_TIMEOUT_MS)};
    d->body = body_of(res, row, company->public_url);
    const char *problem = begin(sender, d, &to, res, row);
    if (!problem) {
        d->host = hosts_take(hosts, pg_get_text(res, row, COL_HOST));
        return d;
    }
    struct result r = {.final = true, .attempt = d->attempt};
    memcpy(r.notice, d->notice, sizeof r.notice);
    snprintf(r.error, sizeof r.error, "%s", problem);
    results_add(results, &r);
    free_delivery(d);
    return NULL;
}

void delivery_end(struct delivery *d, const struct answer *a, struct hosts *hosts,
                  struct results *results)
{
    struct result r = {.status = (int)a->status, .attempt = d->attempt};
    enum outcome outcome = policy_outcome(a->status);
    uint32_t random = 0;
    memcpy(r.notice, d->notice, sizeof r.notice);
    r.delivered = outcome == OUTCOME_DELIVERED;
    r.final = outcome != OUTCOME_RETRY || d->attempt >= d->policy.max_attempts;
    if (!r.delivered && a->error)
        snprintf(r.error, sizeof r.error, "%s", a->error);
    else if (!r.delivered)
        snprintf(r.error, sizeof r.error, "HTTP status %ld", a->status);
    if (!r.final) {
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            random = UINT32_MAX / 2;
        r.delay_ms = policy_delay_ms(&d->policy, d->attempt, random, a->retry_after_s);
    }
    results_add(results, &r);
    hosts_release(hosts, d->host);
    free_delivery(d);
}
