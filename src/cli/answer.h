/*
 * answer.h - statements that answer with one JSON value, and printing lists of
 * such objects as aligned tables.
 */
#pragma once

#include "err.h"
#include "pg.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { ANSWER_CONNECT_WAIT_MS = 5000, ANSWER_STATEMENT_MS = 30000 };

/* Connects with these statements. */
int answer_open(struct pg **ret, const char *conninfo, const struct pg_stmt *stmts, size_t n,
                struct err *reterr);

/* The only value of the statement's row. No row or null: *ret is NULL, which is no error. Owned. */
int answer_read(struct pg *pg, const char *stmt, const struct pg_params *params, json_t **ret,
                struct err *reterr);

/* Members of an object; the default when they are missing or null. */
const char *answer_text(const json_t *object, const char *name, const char *otherwise);
int64_t answer_int(const json_t *object, const char *name);
bool answer_bool(const json_t *object, const char *name);
bool answer_has(const json_t *object, const char *name);

/* Microseconds since 1970 of a time as PostgreSQL writes it in JSON; 0: missing. */
int64_t answer_time(const json_t *object, const char *name);

enum grid_kind {
    GRID_TEXT,
    GRID_NUMBER,
    GRID_SPAN, /* seconds */
    GRID_TIME, /* shown in the local zone */
    GRID_LIST, /* array of texts */
    GRID_YES,  /* "yes" or nothing */
};
struct grid_column {
    const char *title, *member;
    enum grid_kind kind;
};

/* A heading with the number of rows, then the rows; nothing when there are none. */
void grid_print(const char *heading, const json_t *rows, const struct grid_column *columns,
                size_t n);
