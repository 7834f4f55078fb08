/*
 * outbox.h - reads the outbox by the difference of two snapshots.
 *
 * Not a cursor: each call reads the next rows after the position it is given.
 */
#pragma once

#include "pg.h"
#include "position.h"

/* One row, borrowed from the batch. */
struct outbox_row {
    int64_t seq;
    const char *id, *aggregatetype, *aggregateid, *type, *payload, *traceparent, *at;
    size_t payload_size;
};

struct outbox_batch {
    PGresult *res; /* owned */
    int n;
    bool complete;        /* nothing of the window is left after these rows */
    const char *snapshot; /* end of the window; borrowed from res */
};

/* The next at most max rows after p. When the window is larger than max, *p is moved into its
 * pieces (snapshot_cur and last_seq are set), which says nothing about what was published.
 * On success *ret is owned (outbox_batch_free). */
int outbox_read(struct pg *pg, struct position *p, int max, struct outbox_batch *ret,
                struct err *reterr);

/* Row i of a batch; borrowed from it. */
void outbox_row(const struct outbox_batch *batch, int i, struct outbox_row *ret);

/* Moves p behind the rows of the batch: what the position is when they are published. */
void outbox_advance(const struct outbox_batch *batch, struct position *p);

void outbox_batch_free(struct outbox_batch *batch);
