/*
 * progress.h - reads the relay's position back from Kafka, and settles what
 * hangs before that.
 *
 * Call after both producers have been opened (which fences older ones) and
 * before the first transaction.
 */
#pragma once

#include "opt.h"
#include "position.h"
#include "producer.h"
#include "topics.h"

/* known_txn: a transaction whose commit is known to have returned, read after both producers were
 * opened; 0: none is. *ret_found: a position was there and is in *ret (freed by the caller). Not
 * found, though events of a relay are in the topics: ERR_FATAL EXIT_POSITION; likewise when events
 * later than the position are visible. Kafka not answering, or a transaction that stays open:
 * ERR_RETRY, as when the loop is asked to stop. */
int progress_recover(const struct conf_common *common, const struct topics *topics,
                     struct producer *const pair[2], struct pulse *pulse, uint64_t known_txn,
                     struct position *ret, bool *ret_found, struct err *reterr);
