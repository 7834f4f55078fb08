/*
 * position.h - where the relay stands, as the value of one key in
 * PREFIX.relay.progress. Pure: knows neither libpq nor Kafka.
 *
 * Every outbox row visible in snapshot_prev has been published. While a window
 * is published in pieces, so have the rows of the window that ends at
 * snapshot_cur up to last_seq; otherwise snapshot_cur is NULL.
 */
#pragma once

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the rows visible in a snapshot the one with the highest transaction id. While it is there, the
 * database has not gone back behind the snapshot's end, and gives out no id below it again. */
struct newest {
    uint64_t xid;
    int64_t seq;
    char id[37]; /* empty: no row yet */
};

struct position {
    char *snapshot_prev; /* owned; text form of pg_snapshot */
    char *snapshot_cur;  /* owned or NULL */
    int64_t last_seq;
    uint64_t txn;    /* number of the Kafka transaction that carried it; txn % 2 is its producer */
    int64_t rows;    /* published since the beginning */
    int64_t dead;    /* of these, to the dead-letter topic */
    uint64_t system; /* pg_control_system().system_identifier */
    uint32_t database; /* its oid: the databases of a cluster share system and transaction ids */
    int32_t timeline;
    struct newest newest; /* of the later snapshot */
};

/* What the database says of itself now. */
struct identity {
    uint64_t system;
    uint32_t database;
    int32_t timeline;
    const char *snapshot; /* borrowed */
    bool lost;            /* the position's newest row is not there */
};

void position_free(struct position *p); /* the members; leaves a zeroed struct */
/* A copy with strings of its own; what to owned is freed. */
void position_copy(struct position *to, const struct position *from);
void position_set(char **at, const char *text); /* replaces an owned string; NULL clears */

/* The position before the first row of a database. */
void position_first(struct position *p, const struct identity *id);

/* Takes a row for the newest when it is; xid as text. */
void position_newest(struct position *p, const char *xid, int64_t seq, const char *id);

/* JSON, owned by the caller. */
char *position_encode(const struct position *p);

/* ERR_FATAL EXIT_POSITION when it is not one. On success fills *ret (freed by the caller). */
int position_decode(const char *json, size_t size, struct position *ret, struct err *reterr);

/* ERR_FATAL EXIT_POSITION with the reason when the position can not belong to this database:
 * another cluster or database, a timeline that went back, a snapshot from the future, a row that is
 * gone. */
int position_check(const struct position *p, const struct identity *now, struct err *reterr);

/* xmin and xmax of the text form "xmin:xmax:xip,..."; false when it is not one. */
bool snapshot_bounds(const char *text, uint64_t *ret_xmin, uint64_t *ret_xmax);
