/*
 * db.h - what the commands share about PostgreSQL.
 */
#pragma once

#include "err.h"
#include "pg.h"

/* As pg_open, but waits up to wait_ms for a server that is not there or is
 * starting, with progress; then ERR_FATAL EXIT_DATABASE. */
int db_open(struct pg **ret, const struct pg_options *options, int wait_ms, struct err *reterr);

/* Runs a file of SQL statements. An error names the file and the line. */
int db_run_file(struct pg *pg, const char *name, const char *text, struct err *reterr);

/* Gives a setting a value until the end of the transaction; NULL is "". */
int db_set_local(struct pg *pg, const char *setting, const char *value, struct err *reterr);

/* The statement's only value as bool, integer; the statement is one without parameters and needs
 * no table. */
int db_get_bool(struct pg *pg, const char *sql, const char *what, bool *ret, struct err *reterr);
