/*
 * part.h - a part of a batch, in one transaction: shared by place.c, which
 * decides and writes, and place_read.c, which locks and reads what is to be decided.
 */
#pragma once

#include "place.h"

/* What somebody else holds is tried again so much later; and so long after it was met nothing is
 * waited for, so that the next try is not either. */
enum { PART_LOCKED_MS = 1000, PART_HURRY_MS = 10000 };

/* A part of a batch, in one transaction. */
struct part {
    struct placer *placer;
    struct batch *batch;
    size_t from, n;          /* jobs */
    struct job **order;      /* owned: n of them, in the order of their turn */
    struct expert **touched; /* owned: experts chosen before the locks */
    size_t n_touched;
    int64_t now_us;   /* by the database's clock */
    bool types_stale; /* the database knows a type that the roster does not */
    bool surprised;   /* an expert is not as the roster believed */
    bool hurried;     /* waits for no lock */
    int reserved, parked, review;
};

static inline struct job *part_job(const struct part *part, size_t i)
{
    return &part->batch->jobs[part->from + i];
}

/* Which events nobody has acted on; a job brought by none but old ones is left alone. */
int part_take_events(struct part *part, struct err *reterr);

/* Locks the tickets, and reads them as they are then. Those that somebody else holds are marked
 * locked when the placer is in a hurry. */
int part_read_tickets(struct part *part, struct err *reterr);

/* For some seconds from now on no row is waited for. */
void placer_hurry(struct placer *placer);
