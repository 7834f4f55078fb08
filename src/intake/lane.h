/*
 * lane.h - one session of the store and the batch that it has under way.
 *
 * A lane inserts its batch, halves it around a bad row, reads the winners of
 * conflicts and tries again what a lost connection has left unknown. While one
 * lane waits for its commit, another fills the processor.
 */
#pragma once

#include "batch.h"
#include "store.h"

struct lane;

struct lane_options {
    const struct store_options *store; /* borrowed; lives as long as the lane */
    const char *name;                  /* of the session, for the log; borrowed */
    /* The ticket of an item is known, or known not to be. */
    void (*answer)(void *ctx, struct store_item *item, const struct store_ticket *ticket);
    /* The batch is over: what has an answer can be let go, the rest goes back to wait. */
    void (*back)(void *ctx, struct store_item *item);
    void *ctx;
};

struct lane *lane_new(const struct lane_options *options); /* owned; connects at once */
void lane_free(struct lane *lane);                         /* NULL is fine; nobody is answered */

/* It is connected. */
bool lane_up(const struct lane *lane);
bool lane_down(const struct lane *lane); /* its last attempt to connect failed */
bool lane_idle(const struct lane *lane); /* connected, and without a batch */
bool lane_busy(const struct lane *lane); /* a statement is out */

/* The idle lane's next batch: n items, 1 to BATCH_MAX, which are the lane's until back was called
 * for each. Items that are equal are folded. */
void lane_start(struct lane *lane, struct batch_item **items, size_t n);

/* Sends the next statement of its batch, unless one is out. */
void lane_turn(struct lane *lane);

/* Calls visit for each item of the batch. */
void lane_each(struct lane *lane, void (*visit)(void *ctx, struct store_item *item), void *ctx);
