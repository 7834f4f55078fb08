/*
 * plant.h - work as the programs would leave it, without the programs: tickets
 * with everything that belongs to them, and their events on the topics. Tests
 * then spoil one thing.
 */
#pragma once

#include "ticket.h"
#include "world.h"

#include <librdkafka/rdkafka.h>

struct planted {
    char id[UUID_TEXT_LEN + 1], ref[TICKET_REF_LEN + 1], assignment[UUID_TEXT_LEN + 1];
};

/* A ticket that was received, assigned to the expert, notified and, if done, completed. */
void plant_ticket(struct world *w, int expert, bool done, struct planted *ret);

/* A ticket that intake has just stored. */
void plant_received(struct world *w, struct planted *ret);

/* Publishes outbox rows in the order of seq; where is SQL, "true" for all. Returns how many. */
int plant_publish(struct world *w, const char *where);
int plant_publish_in(struct world *w, const char *where, const char *order);

/* One record; headers may be NULL. */
struct record {
    const char *topic; /* suffix */
    const char *key, *id, *type, *payload, *traceparent;
};
void plant_record(struct world *w, const struct record *record);

/* The same within a transaction that is aborted. */
void plant_aborted(struct world *w, const struct record *record);
