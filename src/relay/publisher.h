/*
 * publisher.h - rows of the outbox become Kafka transactions, each with the position behind its
 * rows, by two producers that take turns.
 *
 * Two, because the next transaction of the other one is a marker behind which nothing of the last
 * can hide (docs/design.md). Rows that Kafka refuses go to the dead letters (poison.h).
 */
#pragma once

#include "markers.h"
#include "outbox.h"
#include "poison.h"
#include "position.h"
#include "producer.h"
#include "pulse.h"
#include "relay.h"
#include "topics.h"

struct publisher {
    const struct relay_conf *conf;
    struct pulse pulse;
    struct topics topics;
    struct producer *pair[2]; /* both NULL: not open */
    struct markers *markers;
    struct position at; /* as in Kafka, or ahead of it by windows that held no row */
    struct poison poison;
    int batch_max;        /* rows of the next transaction: less than the option's after a refusal */
    uint64_t began_at_ms; /* the last transaction */
    double rows_a_s;      /* average */
};

/* Names, partitions and limits of the topics, from a handle of its own, because they may have
 * changed while the broker was away. Errors: topics_load and kafka_open. */
int publisher_topics(struct publisher *p, struct err *reterr);

/* Opens both producers, which fences whoever had their transactional ids. Needs the topics. On
 * error the caller closes. */
int publisher_open(struct publisher *p, struct err *reterr);

/* What is open is aborted by the next to open. Closing twice is fine. */
void publisher_close(struct publisher *p);

/* A connection to Kafka broke since they were opened. */
bool publisher_disturbed(struct publisher *p);

/* Publishes the rows of a batch and moves p->at behind them, in one transaction, which is committed
 * when all of the last one is visible. pg takes the dead letters. ERR_RETRY: nothing of it is
 * visible, or (unknown set) maybe all; p->at is as before, and recovering tells. A refused row
 * narrows the next batch until it stands alone. */
int publisher_send(struct publisher *p, struct pg *pg, const struct outbox_batch *batch,
                   struct err *reterr);

/* Is all that was sent visible? Asks Kafka once, if that is not known. ERR_RETRY: not within three
 * seconds; markers are missing, and recovering looks for them. */
int publisher_look(struct publisher *p, bool *ret_visible, struct err *reterr);

/* The same, until it is visible. */
int publisher_wait_visible(struct publisher *p, struct err *reterr);

/* How long to gather rows before the next transaction, after a read that found so many. */
int publisher_gather_ms(const struct publisher *p, int rows);
