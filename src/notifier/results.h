/*
 * results.h - outcomes of attempts on their way into PostgreSQL, set-wise.
 *
 * Whatever ends while one write is under way goes with the next. A result that
 * can not be written because PostgreSQL is away is kept.
 */
#pragma once

#include "err.h"
#include "pg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESULT_ERROR_MAX = 96 };

struct result {
    uint8_t notice[16];
    int attempt;
    bool final;                   /* else another attempt follows */
    bool delivered;               /* of a final one */
    int status;                   /* of HTTP; 0: none came */
    int64_t delay_ms;             /* to the next attempt */
    char error[RESULT_ERROR_MAX]; /* empty: none; names no address and no person */
};

struct results {
    struct result *items; /* owned */
    size_t n, cap;
};

/* Appends a copy. */
void results_add(struct results *results, const struct result *result);

/* Writes and forgets all. ERR_RETRY: nothing is forgotten, call again. A result that the database
 * refuses is logged and dropped: its claim ends and the notice is sent again. */
int results_write(struct results *results, struct pg *pg, const char *actor, struct err *reterr);

void results_free(struct results *results);
