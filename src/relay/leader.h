/*
 * leader.h - the leader's PostgreSQL session and its lock.
 *
 * One relay of a topic prefix leads, the others stand by. The lock is a session
 * advisory lock and only for speed: it may be lost without notice, and two
 * leaders are made harmless by fencing in Kafka.
 */
#pragma once

#include "loop.h"
#include "opt.h"
#include "pg.h"
#include "position.h"

/* The statements of its session, which all of the relay uses. */
extern const struct pg_stmt leader_stmts[];
extern const size_t leader_stmts_count;

struct leader {
    const struct conf_common *conf;
    struct loop *loop; /* turned while PostgreSQL is slow; NULL: only in tests */
    long timeout_ms;   /* the server drops a session that is idle or unreachable for longer */
    struct pg *pg;     /* owned; NULL: no session */
    bool leads;
    uint64_t since_ms; /* monotonic; leads since */
    char *snapshot;    /* behind identity.snapshot; owned */
};

/* Returns 0 when this relay leads: connects and waits for the lock as long as it takes. Returns -1
 * on errors that need more than waiting, and when the loop is stopping. */
int leader_stand_by(struct leader *l, struct err *reterr);

/* Uses the session, so that it is not idle, during a long wait for something else. */
void leader_keep(struct leader *l);

/* ERR_RETRY when the lock is not ours any more; the session is closed then. */
int leader_check(struct leader *l, struct err *reterr);

/* Closes the session, which gives up the lock. */
void leader_resign(struct leader *l);
void leader_resign_if_lost(struct leader *l);

/* The database's identity now, and whether it has the newest row of a position; ret->snapshot is
 * valid until the next call. A standby server is ERR_RETRY: it may be promoted. */
int leader_identity(struct leader *l, const struct position *p, struct identity *ret,
                    struct err *reterr);

/* Rows published and the number of the last transaction as squad.relay_progress has them, 0 without
 * a row: the commit of that transaction had returned. */
int leader_copied(struct leader *l, const char *relay, int64_t *ret_rows, uint64_t *ret_txn,
                  struct err *reterr);

/* Writes squad.relay_progress. Does not wait for who holds its row: ERR_RETRY. */
int leader_copy(struct leader *l, const char *relay, const struct position *p, struct err *reterr);
