/*
 * pg.h - a libpq session with its prepared statements.
 *
 * Not an abstraction of SQL: results are PGresult, and pipeline users take the
 * PGconn. Statements come from sql/queries by way of generated headers; every
 * one is prepared at connect and its parameter count checked. One thread.
 */
#pragma once

#include "err.h"

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

/* Version of sql/migrations that the programs need (the highest number). */
extern const int pg_schema_version;

struct pg_stmt {
    const char *name;
    const char *sql;
    int n_params;
    bool binary; /* results in binary format */
};

struct loop;
struct pg_options {
    const char *conninfo;
    const char *program;         /* as "relay": application_name squad-relay, and user squad_relay
                                    when conninfo names none; "" or NULL: application_name squad */
    const struct pg_stmt *stmts; /* borrowed for the life of the session */
    size_t n_stmts;
    int statement_timeout_ms; /* 0: none; the server's, and 5 s later ours */
    int lock_timeout_ms;      /* 0: none */
    bool any_schema;          /* do not check the schema's version (squad migrate) */
    const char *setup_sql;    /* run at the end; or NULL */
    struct loop *loop;        /* the program's, or NULL: see pg_open and pg_run */
    long shutdown_ms;         /* with loop: so long after TERM it waits for PostgreSQL */
};

struct pg;

/* Connects (up to 5 s a host unless conninfo says otherwise, twice), sets the
 * session (UTC, search_path squad, timeouts), checks the schema's version and
 * prepares all statements. Refused for good, as its SQLSTATE says (no such
 * database or role, wrong password), or for want of a password: ERR_FATAL
 * EXIT_DATABASE. A setting that libpq does not know: ERR_FATAL EXIT_CONFIG.
 * Schema missing or too old: ERR_FATAL EXIT_SCHEMA. Whatever else keeps it from
 * connecting: ERR_RETRY. Blocks, or turns the loop meanwhile; then TERM ends the
 * wait at once with ERR_RETRY, and what options points at must live on. Returns
 * owned. */
int pg_open(struct pg **ret, const struct pg_options *options, struct err *reterr);

void pg_close(struct pg *pg); /* NULL is fine */
static inline void pg_closep(struct pg **pg)
{
    pg_close(*pg);
}

PGconn *pg_conn(struct pg *pg); /* borrowed */
bool pg_alive(struct pg *pg);   /* connection not known to be lost */

/* Parameters of one call: text and binary mixed. The memory behind pointers is
 * borrowed until the call returns; numbers are kept inside. */
enum { PG_PARAMS_MAX = 32 };
struct pg_params {
    int n;
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
    char scratch[PG_PARAMS_MAX][8];
};
void pg_param_null(struct pg_params *p);
void pg_param_text(struct pg_params *p, const char *text); /* NULL: SQL null */
void pg_param_int4(struct pg_params *p, int32_t v);
void pg_param_int8(struct pg_params *p, int64_t v);
void pg_param_binary(struct pg_params *p, const void *data, size_t size); /* uuid, bytea, arrays */

/* Runs a prepared statement by name (must be in the table). On success
 * *ret_result is owned by the caller (ret_result may be NULL). A server that has
 * said nothing 5 s after the statement time-out is lost, here and in all below:
 * ERR_RETRY with unknown set, and pg_alive is false. With a loop also shutdown_ms
 * after TERM; it beats meanwhile, and runs no callbacks. */
int pg_run(struct pg *pg, const char *stmt, const struct pg_params *params, PGresult **ret_result,
           struct err *reterr);

/* For sessions that live long: plans are made once, when tables may still be all but empty, also
 * those of foreign keys, which would then read a whole table for each row. */
#define PG_STEADY_PLANS "SET enable_seqscan = off; SET jit = off"

/* Runs SQL text without parameters and without result rows. */
int pg_exec(struct pg *pg, const char *sql, struct err *reterr);

/* Begin, fn, commit; rollback when fn fails. Retries up to 5 times with jitter
 * when the error is ERR_RETRY and the session is alive (serialization,
 * deadlock, lock timeout), so fn can run again. A connection lost at commit is
 * ERR_RETRY with unknown set. what is for the error's text. */
typedef int pg_tx_fn(struct pg *pg, void *ctx, struct err *reterr);
int pg_tx(struct pg *pg, const char *what, pg_tx_fn *fn, void *ctx, struct err *reterr);

/* Error from a result (or, when res is NULL, from the connection). Returns -1. */
int pg_err(struct err *reterr, PGconn *conn, const PGresult *res, const char *what);

/* The one place where a SQLSTATE becomes a kind. NULL or "" is a lost connection: ERR_RETRY. */
enum err_kind pg_err_kind(const char *sqlstate);

/* Somebody held a row for longer than the session's lock time-out (55P03). */
bool pg_err_locked(const struct err *err);

static inline void pg_clearp(PGresult **res)
{
    PQclear(*res);
}
#define _cleanup_result_ __attribute__((cleanup(pg_clearp)))
#define _cleanup_pg_     __attribute__((cleanup(pg_closep)))

/* Columns of a text result. */
int64_t pg_get_int8(const PGresult *res, int row, int col); /* null: 0 */
bool pg_get_bool(const PGresult *res, int row, int col);
const char *pg_get_text(const PGresult *res, int row, int col); /* null: NULL */
int pg_get_uuid(const PGresult *res, int row, int col,
                uint8_t ret_uuid[16]); /* text or binary; -1 null */

/*
 * One-dimensional binary arrays for `unnest($1::type[], ...)`, grown in place.
 * Layout: array_recv in src/backend/utils/adt/arrayfuncs.c of PostgreSQL.
 * Reuse with pg_array_reset; pass with pg_array_param.
 */
enum pg_oid {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_UUID = 2950
};
struct pg_array {
    enum pg_oid oid;
    uint32_t n;
    size_t size, cap;
    bool has_null;
    uint8_t *data; /* owned */
};
void pg_array_init(struct pg_array *a, enum pg_oid oid);
void pg_array_free(struct pg_array *a);
void pg_array_reset(struct pg_array *a);
void pg_array_null(struct pg_array *a);
void pg_array_bytes(struct pg_array *a, const void *data, size_t size); /* text, bytea, uuid */
void pg_array_text(struct pg_array *a, const char *text);               /* NULL: SQL null */
void pg_array_int4(struct pg_array *a, int32_t v);
void pg_array_int8(struct pg_array *a, int64_t v);
void pg_array_bool(struct pg_array *a, bool v);
void pg_array_param(struct pg_array *a, struct pg_params *p); /* borrows until the call */
