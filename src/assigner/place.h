/*
 * place.h - decides about a batch of tickets in PostgreSQL.
 *
 * One transaction: inbox; lock and read the tickets; choose in memory; lock the
 * chosen experts in their own statement; read them again; choose again among
 * them; write. The constraints are the judge: a refused batch is tried on a
 * fresh roster, then in halves, so that one bad ticket stops no other.
 *
 * A row that somebody else holds for longer than the session's lock_timeout
 * (PLACE_LOCK_TIMEOUT_MS) is not waited for again: for some seconds the placer
 * takes only what it can lock at once. Tickets and experts that it can not are
 * left out and tried again a second later, see place_later().
 */
#pragma once

#include "batch.h"
#include "err.h"
#include "later.h"
#include "pg.h"
#include "roster_db.h"

extern const struct pg_stmt assigner_stmts[];
extern const size_t assigner_stmts_count;

enum { PLACE_LOCK_TIMEOUT_MS = 1000 };

struct placer {    /* reterr of its functions is never NULL */
    struct pg *pg; /* borrowed */
    struct roster *roster;
    const char *actor;        /* in the history, as "assigner/1" */
    bool no_advisory_locks;   /* the constraints alone (for tests) */
    struct ids *off;          /* borrowed, or NULL: see roster_db.h; for a roster loaded here */
    struct ids locked;        /* owned: experts marked so */
    struct later held;        /* owned: tickets whose rows somebody else holds */
    struct later given_up;    /* owned: tickets refused twice */
    uint64_t locked_until_ms; /* then they are tried again */
    uint64_t hurry_until_ms;  /* until then no row is waited for */
    uint64_t reserved, parked, review, again, refused; /* totals */
};

/* Returns 0 when every job has been decided or given up with a line in the log; jobs with
 * VERDICT_AGAIN want another call after a refresh of the roster. ERR_RETRY: nothing is lost, call
 * again with the same batch. Sorts and folds the batch. */
int place(struct placer *placer, struct batch *batch, struct err *reterr);

/* Adds the tickets that are to be tried again by now (now_ms()), and wakes experts who were locked.
 */
void place_later(struct placer *placer, uint64_t now, struct batch *batch);

/* Frees what the placer owns. */
void placer_free(struct placer *placer);
