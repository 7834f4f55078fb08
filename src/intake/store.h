/*
 * store.h - tickets into PostgreSQL in self-clocked micro-batches.
 *
 * A batch is whatever arrived while the one before was under way: no timer. When
 * many wait, a second one is under way beside it, on a session of its own.
 * Every ticket added gets exactly one answer, after the commit or at its
 * deadline, whichever comes first.
 */
#pragma once

#include "batch.h"
#include "loop.h"
#include "ticket.h"
#include "validate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_outcome {
    STORE_CREATED,     /* stored by this request */
    STORE_REPLAYED,    /* stored before under the same key, with the same body; or the call's */
    STORE_OTHER_BODY,  /* the key names a ticket with another body */
    STORE_REFUSED,     /* PostgreSQL refused the row's data */
    STORE_UNAVAILABLE, /* not known to be stored at the deadline */
};

struct store_ticket {
    enum store_outcome outcome;
    const char *ref; /* these for CREATED and REPLAYED; borrowed for the call */
    const char *state;
    uint8_t id[16];
    int64_t created_us; /* since 1970 */
};

/* A ticket to store, embedded in its owner's struct. The owner fills the first part. */
struct store_item {
    struct batch_item batch; /* key_hash, client_id, is_call, body_hash */
    const struct ticket_fields *fields;
    const char *call_provider, *call_id; /* NULL unless is_call */
    const char *traceparent;
    bool folds; /* a request with its key that is under way is joined, not refused */
    uint64_t deadline_ms;
    void (*answer)(struct store_item *item, const struct store_ticket *ticket);
    void (*release)(struct store_item *item); /* the store has forgotten it; after answer */
    /* the store's own */
    uint8_t id[16];
    char ref[TICKET_REF_LEN + 1];
    bool answered;
    int collisions;
    const struct lane *lane; /* that has it in its batch; NULL while it waits */
    struct store_item *next, *running_next;
};

/* The item that a batch's item is the beginning of. */
static inline struct store_item *store_item_of(struct batch_item *b)
{
    return (struct store_item *)((char *)b - offsetof(struct store_item, batch));
}

struct metrics;
struct store;

struct store_options {
    struct loop *loop;
    const char *db;
    long batch_max, queue_max;
    long request_timeout_ms;
    void (*on_fatal)(void *ctx, const struct err *err);
    void *ctx;
    struct metrics *metrics; /* borrowed */
};

struct store *store_new(const struct store_options *options); /* owned */
void store_free(struct store *store);

/* A lane at least is connected. */
bool store_up(const struct store *store);
/* Tickets that no lane has taken yet. */
long store_waiting(const struct store *store);

/* RUNNING: a request with this key has not been answered yet (by this process). */
enum store_refusal { STORE_TAKEN, STORE_FULL, STORE_DOWN, STORE_RUNNING };

/* Takes the item until release is called, or says why not. */
enum store_refusal store_add(struct store *store, struct store_item *item);

/* Sends what can be sent. Call once per turn of the loop. */
void store_turn(struct store *store);
