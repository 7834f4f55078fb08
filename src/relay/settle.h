/*
 * settle.h - what to do with a Kafka transaction that hangs after a broker's
 * restart: pure decisions on transaction numbers.
 *
 * A broker killed between PrepareCommit and its markers can drop the markers:
 * the last stable offset stays below the high watermark until the next marker
 * of the same producer id, which decides the hanging transaction as well. The
 * relay must then commit what had been committed and may abort only what had
 * not: an abort of a committed transaction loses rows, a commit of an aborted
 * one publishes rows twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Transaction numbers seen; transaction n is sent by producer n % 2 and begins only when the
 * commit of n - 1 has returned. 0: none. */
struct settle {
    uint64_t lowest_hanging;  /* at a partition's last stable offset */
    uint64_t highest_begun;   /* behind it; there may be ended ones too */
    uint64_t highest_visible; /* in any record that a read_committed reader sees, or known to be
                                 committed from elsewhere */
};

enum settle_verdict {
    SETTLE_NOTHING, /* nothing hangs */
    SETTLE_COMMIT,  /* lowest_hanging was committed: commit a barrier of producer n % 2 */
    SETTLE_ABORT,   /* nobody has seen any of it: abort a barrier of producer n % 2 */
};

/* The record at a last stable offset that is below the high watermark: the first of the hanging. */
void settle_hanging(struct settle *s, uint64_t txn);
/* Any record from there on. */
void settle_begun(struct settle *s, uint64_t txn);
void settle_visible(struct settle *s, uint64_t txn);

/* For the lowest hanging transaction. */
enum settle_verdict settle_decide(const struct settle *s);
