/*
 * delivery.h - one attempt to deliver one notice: from its row to its result.
 */
#pragma once

#include "hosts.h"
#include "policy.h"
#include "results.h"
#include "sender.h"

struct delivery {
    uint8_t notice[16];
    char *body;        /* owned */
    struct host *host; /* borrowed of hosts; NULL: the address names none */
    int attempt;
    struct retry_policy policy;
};

/* What all notices have in common; texts are borrowed. */
struct company {
    const char *public_url;       /* of intake, as receivers see it */
    const char *webhook, *secret; /* of the company, for its manager and customers; may be NULL */
};

/* Begins the attempt of row `row` of a result of sql/queries/notifier/claim.sql. Returns it, owned
 * by the sender until its answer comes. When it can not even begin (no address, an unusable
 * secret), adds the final result and returns NULL; also NULL when the notice has been dropped. */
struct delivery *delivery_begin(struct sender *sender, struct hosts *hosts, struct results *results,
                                const struct company *company, const PGresult *res, int row);

/* Turns the answer into a result; frees the delivery. */
void delivery_end(struct delivery *delivery, const struct answer *answer, struct hosts *hosts,
                  struct results *results);
