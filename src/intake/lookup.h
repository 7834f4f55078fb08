/*
 * lookup.h - everything that is not a new ticket: each request is one prepared
 * statement of its own. A session of its own, so that it never stands in the
 * way of the batches; the copy of the clients and the watchers use it too.
 */
#pragma once

#include "clients.h"
#include "loop.h"
#include "session.h"
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOOKUP_PARAMS_MAX = 12 };

/* One call, embedded in its owner's struct. */
struct lookup_item {
    const struct pg_stmt *stmt;
    int n_params;
    const char *param[LOOKUP_PARAMS_MAX]; /* as text; NULL: null. Borrowed until release */
    bool once; /* not sent again after a lost connection: its effect might come twice */
    uint64_t deadline_ms;
    /* res: the row or rows; NULL: not available, or err says why PostgreSQL refused. With a
     * result, the item may be used again within the call. */
    void (*answer)(struct lookup_item *item, const PGresult *res, const struct err *err);
    void (*release)(struct lookup_item *item);
    /* the module's own */
    struct session_job job;
    struct lookup *lookup;
    bool answered;
    struct lookup_item *next;
};

struct resource;
struct seal;
struct lookup;

struct lookup_options {
    struct loop *loop;
    const char *db;
    const struct resource *const *resources; /* whose statements are prepared */
    struct seal *seal;                       /* kept as the database says */
    long queue_max;
    long request_timeout_ms;
    void (*on_fatal)(void *ctx, const struct err *err);
    void *ctx;
};

struct lookup *lookup_new(const struct lookup_options *options); /* owned */
void lookup_free(struct lookup *l);

struct clients *lookup_clients(struct lookup *l); /* borrowed */
struct watch *lookup_watch(struct lookup *l);     /* borrowed */
/* It is connected. */
bool lookup_up(const struct lookup *l);
/* Questions that wait to be sent. */
long lookup_waiting(const struct lookup *l);

/* Takes the item until release is called. False: full, or PostgreSQL is down. */
bool lookup_add(struct lookup *l, struct lookup_item *item);
