/*
 * poison.h - rows that Kafka can not take, and the keys they block.
 *
 * Policy skip: the row goes to the dead-letter topic and its key goes on.
 * Policy block: later rows of the same key follow it there, so that nothing
 * overtakes it. Either way in the transaction of its neighbours, counted,
 * listed in squad.relay_dead and logged.
 */
#pragma once

#include "outbox.h"

#include <stdbool.h>

enum poison_policy { POISON_SKIP, POISON_BLOCK };

struct poison {
    enum poison_policy policy;
    int64_t refused[64]; /* seq of rows that Kafka refused after taking them */
    int n_refused;
    void
        *blocked; /* owned; a tree (search.h) of keys, each with the seq of its first dead letter */
};

void poison_free(struct poison *p);

/* Keys blocked before this start. */
int poison_load(struct poison *p, struct pg *pg, struct err *reterr);

/* Remembers a row that Kafka refused when it was alone in its transaction. */
void poison_refuse(struct poison *p, int64_t seq);

/* Blocks the row's key from this row on, if that is the policy. */
void poison_block(struct poison *p, const struct outbox_row *row);

/* Why the row must not be tried, or NULL: go on. */
const char *poison_reason(const struct poison *p, const struct outbox_row *row);

/* The row goes to the dead-letter topic: writes squad.relay_dead (before the Kafka transaction
 * commits, so that it is listed for certain), and logs it. */
int poison_record(struct pg *pg, const struct outbox_row *row, const char *meant_for,
                  const char *reason, struct err *reterr);
