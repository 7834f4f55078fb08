/*
 * roster_db.h - the roster as PostgreSQL has it, and what changed since.
 *
 * An expert who has more room than the roster knew, or has changed in another
 * way and has room, is marked woken.
 */
#pragma once

#include "err.h"
#include "pg.h"
#include "roster.h"

/* Everything. *snapshot (owned text; may be NULL) is replaced by the snapshot that roster_refresh
 * goes on from. */
int roster_load(struct pg *pg, struct roster *roster, char **snapshot, struct err *reterr);

/* Experts changed since *snapshot, which is moved on. */
int roster_refresh(struct pg *pg, struct roster *roster, char **snapshot, struct err *reterr);

/* The types of tickets and what they need. */
int roster_load_types(struct pg *pg, struct roster *roster, bool *ret_changed, struct err *reterr);
