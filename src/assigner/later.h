/*
 * later.h - tickets that could not be decided now, and when they are tried again.
 *
 * In memory alone and at most LATER_MAX of them: what is forgotten is found by the sweeps.
 */
#pragma once

#include "batch.h"

enum { LATER_MAX = 1000 };

struct later_ticket {
    uint8_t id[16];
    char traceparent[TRACEPARENT_LEN + 1];
    uint64_t due_ms; /* by now_ms() */
};

/* A zeroed one is empty. */
struct later {
    struct later_ticket *tickets; /* owned */
    size_t n, cap;
};

/* A ticket that is there already keeps its time. traceparent: as of struct job. */
void later_add(struct later *later, const uint8_t ticket[16],
               const char traceparent[TRACEPARENT_LEN + 1], uint64_t due_ms);

/* Moves those that are due to the batch, as swept ones. */
void later_take(struct later *later, uint64_t now, struct batch *batch);

void later_free(struct later *later);
