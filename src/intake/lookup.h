/*
 * lookup.h - everything that is not a new ticket: reading one, completing an
 * assignment, and the copy of the clients. A session of its own, so that it
 * never stands in the way of the batches.
 */
#pragma once

#include "clients.h"
#include "loop.h"
#include "session.h"
#include "ticket.h"

#include <stdbool.h>
#include <stdint.h>

enum lookup_kind { LOOKUP_TICKET, LOOKUP_COMPLETE };

/* One call, embedded in its owner's struct. Both calls may be repeated without
 * further effect, so a lost connection is tried again until the deadline. */
struct lookup_item {
    enum lookup_kind kind;
    int32_t client_id;            /* LOOKUP_TICKET */
    char ref[TICKET_REF_LEN + 1]; /* LOOKUP_TICKET: or empty, then by id */
    uint8_t id[16];
    const char *actor, *traceparent; /* LOOKUP_COMPLETE */
    uint64_t deadline_ms;
    /* res: the row or rows; NULL: not available, or err says why PostgreSQL refused. */
    void (*answer)(struct lookup_item *item, const PGresult *res, const struct err *err);
    void (*release)(struct lookup_item *item);
    /* the module's own */
    struct session_job job;
    struct lookup *lookup;
    bool answered;
    struct lookup_item *next;
};

struct lookup;

struct lookup_options {
    struct loop *loop;
    const char *db;
    long queue_max;
    long request_timeout_ms;
    void (*on_fatal)(void *ctx, const struct err *err);
    void *ctx;
};

struct lookup *lookup_new(const struct lookup_options *options); /* owned */
void lookup_free(struct lookup *l);

struct clients *lookup_clients(struct lookup *l); /* borrowed */

/* Takes the item until release is called. False: full, or PostgreSQL is down. */
bool lookup_add(struct lookup *l, struct lookup_item *item);
