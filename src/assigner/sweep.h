/*
 * sweep.h - finds tickets in the tables that want a decision: those that
 * someone woken may take, and, as a net below the events, everything else.
 *
 * Each function adds what it finds to a batch.
 */
#pragma once

#include "batch.h"
#include "err.h"
#include "pg.h"
#include "roster_db.h"

enum { WOKEN_MAX = 32 }; /* experts asked about at once */

struct sweep {
    struct pg *pg; /* borrowed */
    const char *actor;
    uint8_t waiting_behind[16]; /* last waiting ticket looked at; nil: from the first */
    bool waiting_all;           /* go through all that wait, page after page */
    uint8_t missing_behind[16]; /* tickets up to here have been looked at */
    bool missing_more;          /* the last page was full: there is more at once */
    int32_t asked[WOKEN_MAX];   /* experts last asked about who had waiting tickets */
    size_t n_asked;
    int32_t woken_behind; /* where the next ones are looked for */
};

/* The best waiting tickets of experts marked woken, WOKEN_MAX of them at a time; are there more,
 * those whose turn is first as well. Takes the marks away of those asked about. */
int sweep_woken(struct sweep *s, struct roster *roster, struct batch *batch, struct err *reterr);

/* Marks those again who were asked about, had waiting tickets and still have room. Call after the
 * batch has been placed with some success. */
void sweep_again(struct sweep *s, struct roster *roster);

/* Goes through all that wait from the first on: sets waiting_all. */
void sweep_all_waiting(struct sweep *s);

/* The next page of waiting tickets; ends waiting_all behind the last one. */
int sweep_waiting(struct sweep *s, struct batch *batch, struct err *reterr);

/* What the clock alone brings: offers not answered in time (their tickets are added), tickets for
 * which a requirement is dropped or an exclusion ends. *ret_tired: experts set on break. */
int sweep_due(struct sweep *s, struct batch *batch, int *ret_tired, struct err *reterr);

/* Takes back the offers of those of the experts who are off; adds their tickets. *off is emptied
 * but for those who have offers that somebody else holds; when it fails it stays as it is. */
int sweep_off(struct sweep *s, struct ids *off, struct batch *batch, struct err *reterr);

/* Tells the manager and the customer of tickets that wait too long. */
int sweep_tell(struct sweep *s, int64_t *ret_told, struct err *reterr);

/* Tickets in review whose type is known now. */
int sweep_review(struct sweep *s, struct batch *batch, struct err *reterr);

/* Tickets at least min_age_ms old by the database's clock that no event has brought. Having caught
 * up it goes on from a minute ago, because transactions do not commit in the order of their
 * tickets' ids. Those whose ids are of a time to come (intake's clock was wrong) are looked at
 * again until it has. */
int sweep_missing(struct sweep *s, long min_age_ms, struct batch *batch, struct err *reterr);
