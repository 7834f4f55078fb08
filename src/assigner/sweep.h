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

struct sweep {
    struct pg *pg; /* borrowed */
    long exclude_ms;
    uint8_t waiting_behind[16]; /* last waiting ticket looked at; nil: from the first */
    bool waiting_all;           /* go through all that wait, page after page */
    uint8_t missing_behind[16]; /* tickets up to here have been looked at */
    bool missing_more;          /* the last page was full: there is more at once */
};

/* The best waiting tickets of experts marked woken. Unmarks those for whom nothing waits. Are there
 * very many of them, it sets waiting_all instead. */
int sweep_woken(struct sweep *s, struct roster *roster, struct batch *batch, struct err *reterr);

/* The next page of waiting tickets; ends waiting_all behind the last one. */
int sweep_waiting(struct sweep *s, struct batch *batch, struct err *reterr);

/* Tickets in review whose type is known now. */
int sweep_review(struct sweep *s, struct batch *batch, struct err *reterr);

/* Tickets at least min_age_ms old that no event has brought. Having caught up it goes on from
 * a minute ago, because transactions do not commit in the order of their tickets' ids. */
int sweep_missing(struct sweep *s, long min_age_ms, struct batch *batch, struct err *reterr);
