/*
 * batch.h - tickets to be decided about in one transaction, and the events that
 * brought them.
 */
#pragma once

#include "choose.h"
#include "ticket.h"

enum { TRACEPARENT_LEN = 55, AREA_TEXT_MAX = 64 };

enum verdict {
    VERDICT_NONE,    /* nothing to do: decided before, or no such ticket */
    VERDICT_RESERVE, /* an expert gets it */
    VERDICT_PARK,    /* nobody can take it now */
    VERDICT_REVIEW,  /* its type is unknown */
    VERDICT_AGAIN, /* somebody can, but not within this transaction's locks: parked for a moment */
    VERDICT_YIELD, /* somebody can who first goes to the tickets that wait, or is locked: parked for
                      a moment */
};

struct event {
    uint8_t id[16], ticket[16];
    bool fresh; /* not in the inbox before */
};

struct job {
    uint8_t ticket[16];
    bool swept;             /* found in the tables; else brought by events */
    bool first;             /* its turn is before all that wait and are not in the batch */
    uint32_t event, events; /* its events are batch.events[event ...] */
    char traceparent[TRACEPARENT_LEN + 1];

    /* As read in the transaction. */
    bool found, open, news; /* news: a person would learn something from "parked" */
    bool waited;            /* it has been parked because nobody could take it */
    bool locked;            /* somebody else holds it: left for later */
    int64_t created_us, due_us, routable_us;
    int64_t excluded_us; /* when the first exclusion ends; INT64_MAX: none does */
    char area[AREA_TEXT_MAX + 1];
    const struct ticket_type *type; /* NULL: unknown */
    int priority;                   /* 0: the type's */
    int32_t sticky;                 /* 0: none */
    int32_t *excluded;              /* owned, sorted */
    size_t n_excluded;

    enum verdict verdict;
    int n_experts; /* VERDICT_RESERVE: 1, or more when it is offered to several at once */
    struct expert *experts[OFFERS_MAX];
    int64_t retry_us; /* VERDICT_PARK: when the clock alone changes the answer; INT64_MAX: never */
    char json[CHOICE_TEXT_MAX];
};

struct batch {
    struct job *jobs; /* owned; after batch_fold sorted by ticket, each once */
    size_t n, cap;
    struct event *events; /* owned; after batch_fold sorted by ticket, then id, each once */
    size_t n_events, events_cap;
};

/* traceparent may be NULL; of another length than TRACEPARENT_LEN it is left out. */
void batch_event(struct batch *batch, const uint8_t ticket[16], const uint8_t event[16],
                 const char *traceparent, size_t traceparent_len);
struct job *batch_swept(struct batch *batch, const uint8_t ticket[16],
                        const char *traceparent); /* borrowed until the next one is added */

/* Sorts, and joins what belongs to one ticket. Call before the batch is used. */
void batch_fold(struct batch *batch);

struct job *batch_find(struct batch *batch,
                       const uint8_t ticket[16]); /* after batch_fold; or NULL */

void batch_clear(struct batch *batch); /* keeps the memory */
void batch_free(struct batch *batch);

/* As a ticket's turn is: past due first, then by priority, then the earliest due, the oldest. */
int compare_turns(const struct job *a, const struct job *b, int64_t now_us);

/*
 * Decides about the open jobs among `order` (n pointers, sorted here by their turns), counting
 * planned slots in expert.taken. held_only: see choose(). Only what is first, and so has been
 * looked at beside all that it could overtake, gets an expert marked woken; the others leave him to
 * what waits.
 */
void plan(struct roster *roster, struct job **order, size_t n, bool held_only, int64_t now_us);
