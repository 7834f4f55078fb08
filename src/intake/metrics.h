/*
 * metrics.h - what squad-intake counts, and the page of it for Prometheus
 * (text format 0.0.4): GET /metrics on the admin port.
 *
 * Numbers only: no client's name, address or ticket is in them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { METRICS_ROUTES_MAX = 64, METRICS_BUCKETS = 12 };

struct histogram {
    uint64_t bucket[METRICS_BUCKETS + 1]; /* the last is for all beyond */
    uint64_t sum;
};

struct metrics {
    uint64_t started_s;
    struct {
        const struct route *route; /* NULL: no route was found */
        uint64_t by_class[6];      /* by the first digit of the status */
    } routes[METRICS_ROUTES_MAX];
    struct histogram request_us;
    struct histogram batch_tickets, batch_us;
    uint64_t tickets[5]; /* by enum store_outcome */
    uint64_t limited[2]; /* addresses, clients */
};

struct request;

/* The request's answer is on its way. */
void metrics_answered(struct metrics *m, const struct request *r);

/* A batch of so many tickets took so long. */
void metrics_batch(struct metrics *m, size_t tickets, uint64_t us);
