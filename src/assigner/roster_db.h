/*
 * roster_db.h - the roster as PostgreSQL has it, and what changed since.
 *
 * off (may be NULL) gets the experts who were seen to be inactive, not available or absent: offers
 * they have may have to be taken back. An expert who has more room than the roster knew, or has
 * changed in another way and has room, is marked woken.
 */
#pragma once

#include "err.h"
#include "pg.h"
#include "roster.h"

/* Numbers of experts. */
struct ids {
    int32_t *items; /* owned */
    size_t n, cap;
};
void ids_add(struct ids *ids, int32_t id);

/* Everything. *snapshot (owned text; may be NULL) is replaced by the snapshot that roster_refresh
 * goes on from. */
int roster_load(struct pg *pg, struct roster *roster, char **snapshot, struct ids *off,
                struct err *reterr);

/* Experts changed since *snapshot, which is moved on. */
int roster_refresh(struct pg *pg, struct roster *roster, char **snapshot, struct ids *off,
                   struct err *reterr);

/* The experts given, as they are now; cheap, and no replacement for roster_refresh. */
int roster_look(struct pg *pg, struct roster *roster, const struct ids *ids, struct ids *off,
                struct err *reterr);

/* Now by the database's clock, never ahead of it: as of the last statement that read from it. Who
 * is woken because a shift has begun must be on shift for the statements that then look for
 * tickets. */
int64_t roster_now_us(const struct roster *roster);

/* Experts whose shift or absence has begun or ended by now_us. */
int roster_pass_time(struct pg *pg, struct roster *roster, int64_t now_us, struct ids *off,
                     struct err *reterr);

/* The types of tickets and what they need, the places, and when requirements are dropped; sets
 * types_changed when they are others than before. */
int roster_load_types(struct pg *pg, struct roster *roster, struct err *reterr);
