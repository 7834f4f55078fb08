/*
 * delivery.h - one attempt to deliver one notice: from its row to its result.
 */
#pragma once

#include "policy.h"
#include "results.h"
#include "sender.h"

struct delivery {
    uint8_t notice[16];
    char *body; /* owned */
    int attempt;
    struct retry_policy policy;
};

/* Begins the attempt of row `row` of a result of sql/queries/notifier/claim.sql. When it can not
 * even begin (no address, an unusable secret), adds the final result and returns false. */
bool delivery_begin(struct sender *sender, struct results *results, const char *public_url,
                    const PGresult *res, int row);

/* Turns the answer into a result; frees the delivery. */
void delivery_end(struct delivery *delivery, const struct answer *answer, struct results *results);
