/*
 * ask.h - a request that is answered by one statement of its own.
 *
 *     static const struct pg_stmt ticket_view = {"ticket_view", sql_ticket_view, 2, false};
 *     ...
 *     ASK(r, &ticket_view, reply_row, client_id, r->param[0]);
 *
 * Parameters and results are text. The statement stands in the resource's
 * stmts, so that it is prepared.
 */
#pragma once

#include "request.h"

typedef void ask_fn(struct request *r, const PGresult *res);

/* Runs the statement; done sets the reply (or asks or waits again). When PostgreSQL does not
 * answer it is 503, when it refuses the statement 500, and done is not called. The statement may
 * run again after a lost connection: use ask_once for what must not have its effect twice. */
void ask(struct request *r, const struct pg_stmt *stmt, ask_fn *done, const char *const *params,
         int n);
void ask_once(struct request *r, const struct pg_stmt *stmt, ask_fn *done,
              const char *const *params, int n);

#define ASK_PARAMS(...)                                                                            \
    (const char *const[]){__VA_ARGS__},                                                            \
        (int)(sizeof(const char *const[]){__VA_ARGS__} / sizeof(const char *))
#define ASK(r, stmt, done, ...)      ask(r, stmt, done, ASK_PARAMS(__VA_ARGS__))
#define ASK_ONCE(r, stmt, done, ...) ask_once(r, stmt, done, ASK_PARAMS(__VA_ARGS__))

/* The client's id as a parameter. */
const char *ask_client_id(struct request *r);

/*
 * For statements whose one row is (outcome, body, version): outcome "ok" is 200 with the JSON
 * body, "created" 201; any other is the slug of a problem (problem.c) and body its sentence.
 * version, when there is one and it is not null, becomes the ETag. No row: not-found.
 */
void reply_row(struct request *r, const PGresult *res);

/*
 * Long poll. When the client has version already (If-None-Match), wants to wait (Prefer: wait=N)
 * and has waited less, the request is put to sleep, and its handler runs again when the version
 * that stmt (see watch.h) reports for the key changes or the time is over. True: it sleeps, do
 * not answer.
 */
bool request_wait(struct request *r, const struct pg_stmt *stmt, const char *key,
                  const char *version);
