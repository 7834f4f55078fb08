/*
 * results.h - outcomes of attempts on their way into PostgreSQL, set-wise.
 *
 * Whatever ends while one write is under way goes with the next. A result that
 * can not be written because PostgreSQL is away, or because somebody holds its
 * rows, is kept; one of the latter does not stand in the way of the others.
 */
#pragma once

#include "err.h"
#include "pg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RESULT_ERROR_MAX = 96,
    RESULTS_HELD_MAX = 4096, /* the owner begins nothing new with so many held back */
};

struct result {
    uint8_t notice[16];
    int attempt;
    bool final;                   /* else another attempt follows */
    bool delivered;               /* of a final one */
    int status;                   /* of HTTP; 0: none came */
    int64_t delay_ms;             /* to the next attempt */
    bool held;                    /* somebody held its rows when it was tried */
    char error[RESULT_ERROR_MAX]; /* empty: none; names no address and no person */
};

struct results {
    struct result *items; /* owned */
    size_t n, cap;
    uint64_t retry_ms; /* when those that are held are tried again, all together */
};

/* Appends a copy. */
void results_add(struct results *results, const struct result *result);

/* Writes and forgets all that are due. ERR_RETRY: nothing is forgotten, call again. Of those whose
 * rows somebody holds, waits once for at most the session's lock_timeout, then holds them back for
 * a second; the claim of a notice so held lasts. A result that the database refuses is logged and
 * dropped: its claim ends and the notice is sent again. */
int results_write(struct results *results, struct pg *pg, const char *actor, struct err *reterr);

/* How many are held back. */
size_t results_held(const struct results *results);

/* Milliseconds until results_write has something to do; -1: nothing is waiting. */
int results_wait_ms(const struct results *results);

void results_free(struct results *results);
