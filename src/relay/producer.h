/*
 * producer.h - one transactional producer of the pair.
 *
 * Transaction n is sent by producer n % 2, and begins only when the commit of
 * n - 1 has returned. After any error the pair is destroyed and made again.
 * Only a barrier is ever aborted.
 */
#pragma once

#include "err.h"
#include "opt.h"
#include "outbox.h"
#include "pulse.h"
#include "topics.h"

#include <librdkafka/rdkafka.h>

#define PRODUCER_POSITION_KEY "position"
#define PRODUCER_FROM_HEADER  "squad_from"

struct producer;

struct producer_options {
    const struct conf_common *common;
    const struct topics *topics;
    int index;           /* 0 or 1: PREFIX-relay-a, PREFIX-relay-b */
    int transaction_ms;  /* transaction.timeout.ms */
    struct pulse *pulse; /* asked to stop: it is given up; may be NULL */
};

/* Makes the handle and init_transactions, which fences every older producer with the same id.
 * Tries for timeout_ms; then ERR_RETRY. Returns owned. */
int producer_open(struct producer **ret, const struct producer_options *options, int timeout_ms,
                  struct err *reterr);
void producer_close(struct producer *p); /* NULL is fine; purges what was not sent */

/* Begins a Kafka transaction; txn is its number, for the records' headers. */
int producer_begin(struct producer *p, uint64_t txn, struct err *reterr);

/* One outbox row to a data topic. ERR_REJECT: Kafka can not take this row. */
int producer_row(struct producer *p, int topic, const struct outbox_row *row, struct err *reterr);

/* The row to the dead-letter topic, with the reason; whatever is too large for it is cut. */
int producer_dead(struct producer *p, const struct outbox_row *row, const char *meant_for,
                  const char *reason, struct err *reterr);

/* A record of ours that consumers skip, to one partition. from: first offset of what its commit is
 * to commit as well, for resend.c; -1: none. */
int producer_barrier(struct producer *p, int topic, int partition, int64_t from,
                     struct err *reterr);

/* A record as one that was read, to a partition of this transaction. */
int producer_again(struct producer *p, int topic, int partition, const rd_kafka_message_t *msg,
                   struct err *reterr);

/* The position, to the progress topic. */
int producer_position(struct producer *p, const char *json, struct err *reterr);

/* Ends the transaction. keep_waiting is asked every two seconds while the broker does not answer;
 * when it says no the outcome is unknown (ERR_RETRY, unknown set). */
typedef bool producer_wait_fn(void *ctx);
int producer_commit(struct producer *p, producer_wait_fn *keep_waiting, void *ctx,
                    struct err *reterr);
int producer_abort(struct producer *p, int timeout_ms, struct err *reterr);

/* Waits until the broker has what was produced, or timeout_ms are over. A commit does that by
 * itself; an abort throws away what was not sent. */
void producer_flush(struct producer *p, int timeout_ms);

/* Of each partition that the last transaction, committed, has written to: the offset behind its
 * last record. Returns owned. */
rd_kafka_topic_partition_list_t *producer_ends(const struct producer *p);

/* Serves callbacks. True when the connection to the broker has been lost since it was opened, or
 * when it is not known where a record stands: then the position must be read again before the next
 * transaction. */
bool producer_disturbed(struct producer *p);

/* seq of a row whose batch Kafka refused after taking it (a delivery report), or -1. */
int64_t producer_refused(const struct producer *p);
