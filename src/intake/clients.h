/*
 * clients.h - who may call: an in-memory copy of squad.client.
 *
 * Read again every second, and at once when a key is unknown (a few times a
 * second at most). Without PostgreSQL the last copy stays in force.
 */
#pragma once

#include "client.h"
#include "loop.h"
#include "pg.h"
#include "session.h"

#include <stdbool.h>
#include <stdint.h>

struct clients;

/* Someone who waits for the next refresh. Embedded in its owner's struct. */
struct clients_waiter {
    void (*refreshed)(struct clients_waiter *w);
    struct clients_waiter *next;
};

extern const struct pg_stmt clients_stmt; /* prepared by the session's owner */

/* Uses the session (borrowed), which must outlive it. */
struct clients *clients_new(struct loop *loop, struct session *session); /* owned */
void clients_free(struct clients *c);

bool clients_loaded(const struct clients *c); /* once since start */

/* Borrowed until the next turn of the loop; NULL: no valid client has this key. */
const struct client *clients_find(const struct clients *c, const char *key);

/* The client that is the form of this name; NULL: the oldest of those that are forms. Likewise. */
const struct client *clients_form(const struct clients *c, const char *name);
/* Some valid client allows this origin. */
bool clients_allow_origin(const struct clients *c, const char *origin);

/* Asks for a refresh because a key was unknown. True: w->refreshed will be called.
 * False: the copy is as fresh as it gets now. */
bool clients_wait(struct clients *c, struct clients_waiter *w);

void clients_on_up(struct clients *c); /* the session is connected */
