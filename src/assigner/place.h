/*
 * place.h - decides about a batch of tickets in PostgreSQL.
 *
 * One transaction: inbox; lock and read the tickets; choose in memory; lock the
 * chosen experts in their own statement; read them again; choose again among
 * them; write. The constraints are the judge: a refused batch is tried on a
 * fresh roster, then in halves, so that one bad ticket stops no other.
 */
#pragma once

#include "batch.h"
#include "err.h"
#include "pg.h"

extern const struct pg_stmt assigner_stmts[];
extern const size_t assigner_stmts_count;

struct placer {    /* reterr of its functions is never NULL */
    struct pg *pg; /* borrowed */
    struct roster *roster;
    const char *actor;                                 /* in the history, as "assigner/1" */
    bool no_advisory_locks;                            /* the constraints alone (for tests) */
    uint64_t reserved, parked, review, again, refused; /* totals */
};

/* Returns 0 when every job has been decided or given up with a line in the log; jobs with
 * VERDICT_AGAIN want another call after a refresh of the roster. ERR_RETRY: nothing is lost, call
 * again with the same batch. Sorts and folds the batch. */
int place(struct placer *placer, struct batch *batch, struct err *reterr);
