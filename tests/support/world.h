/*
 * world.h - a database and topics of a test's own, and the operator's command
 * run in them.
 *
 * Needs SQUAD_DB (a superuser) and SQUAD_KAFKA; a test without them fails. The
 * program is $SQUAD_BUILD/bin/squad. Everything asserts by itself.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

struct world {
    char name[48];      /* of the database, and the topic prefix */
    char conninfo[512]; /* of that database, as superuser */
    PGconn *pg;         /* connected as superuser, search_path squad */
};

enum { WORLD_MIGRATED = 1, WORLD_TOPICS = 2, WORLD_SEEDED = 4 };

void world_make(struct world *world, int what);
void world_drop(struct world *world);

/* Runs statements; asserts that they succeed. Returns the first value of the
 * last one as owned text, or NULL. */
char *world_sql(struct world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Likewise, the value as a number; -1: null or no row. */
long world_sql_long(struct world *world, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* SQLSTATE of statements that fail; empty when they do not. Borrowed until the next call. */
const char *world_sqlstate(PGconn *pg, const char *sql);

struct ran {
    int code;
    char *out, *err; /* owned */
};

/* Runs `squad ARGS` by the shell, with this world's database and topics; env is put before, as
 * "SQUAD_API_KEY=x", or "". */
struct ran world_squad(struct world *world, const char *env, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ran_free(struct ran *ran);
