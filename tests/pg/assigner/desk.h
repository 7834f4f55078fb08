/*
 * desk.h - an assigner without Kafka, for tests: its database session, roster, batch, sweeps.
 */
#pragma once

#include "place.h"
#include "roster_db.h"
#include "sweep.h"
#include "world.h"

struct desk {
    struct pg *pg;
    struct roster roster;
    char *snapshot;
    struct batch batch;
    struct placer placer;
    struct sweep sweep;
};

/* Of the one test that a process runs: a seeded company and an assigner at it. */
extern struct world w;
extern struct desk d;
void desk_set_up(void);
void desk_tear_down(void);

void open_desk(struct desk *desk, const struct world *world);
void close_desk(struct desk *desk);

/* n tickets; type and area as SQL expressions of i. */
void add_tickets(struct world *world, int n, const char *type, const char *area);

/* Decides about tickets that nobody has seen. */
void sweep_and_place(struct desk *desk);

/* As the assigner does: refresh, then what waits for the woken. */
void wake_and_place(struct desk *desk);

void complete(struct world *world, const char *where);

/* Nothing in rpt.audit, no load but the live assignments, no ticket with two experts. */
void expect_sound(struct world *world);
