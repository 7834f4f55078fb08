/*
 * session.h - a libpq session in pipeline mode on the loop, that comes back by
 * itself.
 *
 * Each job is one prepared statement and its sync, so each is its own
 * transaction; done is called after the sync, when the transaction is durable.
 * Connecting is done by a short-lived thread (pg_attempt.h); everything
 * else, and every callback, is on the loop's thread.
 */
#pragma once

#include "err.h"
#include "loop.h"
#include "pg.h"

#include <stdbool.h>
#include <stdint.h>

struct session;
struct session_job;

/* res is borrowed; NULL with err when the statement failed. A lost connection is
 * ERR_RETRY with err->unknown. May call session_send. */
typedef void session_done_fn(struct session_job *job, const PGresult *res, const struct err *err);

/* Embedded in its owner's struct, which must live until done was called. */
struct session_job {
    session_done_fn *done;
    /* the session's own */
    PGresult *res;
    uint64_t sent_ms;
    struct session_job *next;
};

struct session_options {
    struct loop *loop;
    const char *name; /* for the log */
    /* What it points at lives as long as the program: a thread that connects may outlive the
     * session. */
    struct pg_options pg;
    long job_timeout_ms;      /* no answer at all for so long: the connection is given up */
    void (*on_up)(void *ctx); /* connected, first or again */
    /* A first connection that can never work: the program should exit. */
    void (*on_fatal)(void *ctx, const struct err *err);
    void *ctx;
};

struct session *session_new(const struct session_options *options); /* owned; connects at once */
void session_free(struct session *s); /* NULL is fine; jobs are not called any more */

/* It is connected. */
bool session_up(const struct session *s);
/* The last attempt to connect failed: do not expect it back at once. */
bool session_down(const struct session *s);

/* Sends a statement of options.pg.stmts. The parameters' memory is free again on
 * return. False when the session is not up: the job was not taken. When the send
 * itself finds the connection lost, done has been called before the return. */
bool session_send(struct session *s, struct session_job *job, const struct pg_stmt *stmt,
                  const struct pg_params *params);
