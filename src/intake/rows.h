/*
 * rows.h - parameters and results of the store's statements: tickets as binary
 * arrays, events' payloads, rows back.
 *
 * The arrays are kept between batches. Parameters borrow from them until the
 * next call.
 */
#pragma once

#include "pg.h"
#include "store.h"

enum { ROWS_INSERT_PARAMS = 18 };

struct rows;

struct rows *rows_new(void); /* owned */
void rows_free(struct rows *rows);

/* For ticket_insert.sql, ticket_by_key.sql, ticket_by_call.sql. */
void rows_insert(struct rows *rows, struct batch_item **leaders, size_t n, struct pg_params *p);
void rows_keys(struct rows *rows, struct store_item **items, size_t n, struct pg_params *p);
void rows_calls(struct rows *rows, struct store_item **items, size_t n, struct pg_params *p);

/* Columns of binary results. */
int32_t rows_get_int4(const PGresult *res, int row, int col);
int64_t rows_get_time(const PGresult *res, int row, int col); /* microseconds since 1970 */
