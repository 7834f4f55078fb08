/*
 * progress.h - reads the relay's position back from Kafka, and settles what
 * hangs before that.
 */
#pragma once

#include "opt.h"
#include "position.h"
#include "producer.h"
#include "topics.h"

/* Readers of the relay's topics. */
struct recovery;

/* Borrows all until progress_close. Returns owned. */
int progress_open(struct recovery **ret, const struct conf_common *common,
                  const struct topics *topics, struct pulse *pulse, struct err *reterr);
void progress_close(struct recovery *r); /* NULL is fine */
static inline void progress_closep(struct recovery **r)
{
    progress_close(*r);
}

/* The last position that is visible now, before anybody is fenced: the true one or an older one.
 * Not found also when it can not be read; progress_recover says why. */
int progress_peek(struct recovery *r, struct position *ret, bool *ret_found, struct err *reterr);

/* Call after both producers of the pair have been opened (which fences older ones) and before the
 * first transaction. known_txn: a transaction whose commit is known to have returned, read after
 * both producers were opened; 0: none is. *ret_found: a position was there and is in *ret (freed by
 * the caller). Not found, though events of a relay are in the topics: ERR_FATAL EXIT_POSITION;
 * likewise when events later than the position are visible. Kafka not answering, or a transaction
 * that stays open: ERR_RETRY, as when the loop is asked to stop. */
int progress_recover(struct recovery *r, struct producer *const pair[2], uint64_t known_txn,
                     struct position *ret, bool *ret_found, struct err *reterr);
