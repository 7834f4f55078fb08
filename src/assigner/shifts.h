/*
 * shifts.h - shifts are made of the working weeks, some days ahead.
 *
 * A page of experts at a time, so that a large company holds up no decision for long.
 */
#pragma once

#include "err.h"
#include "pg.h"

/* A zeroed one is due at once. */
struct shifts {
    uint64_t due_ms; /* by now_ms() */
    int32_t behind;  /* the next page's experts have higher numbers; 0: it is the first */
    bool held;       /* experts were left out: somebody holds them */
};

/* Makes those of the next page. Due again at once while there are more pages, then in an hour, or
 * in a minute when experts were left out or it fails. */
int shifts_extend(struct shifts *shifts, struct pg *pg, struct err *reterr);

/* From the first page to the last. */
int shifts_extend_all(struct shifts *shifts, struct pg *pg, struct err *reterr);
