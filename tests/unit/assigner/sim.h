/*
 * sim.h - a company's days, event by event, through the real roster and plan().
 *
 * No database, no clock: the same seed and options give the same numbers. For
 * the tool `make simulate` and the tests of fairness.
 */
#pragma once

#include "batch.h"

#include <stdio.h>

struct sim_options {
    uint64_t seed;
    int experts, days, capacity, offers_max;
    double tickets_per_day;
    double decline_part, timeout_part; /* of offers */
    double burst_factor;               /* arrivals in two bursts of 20 minutes a day */
    const char *objectives;            /* of every type */
    bool equals;                       /* experts in groups of equal skills, areas and shifts */
};

extern const struct sim_options sim_defaults;

struct sim_result {
    long tickets, completed, waiting, offers, declined, timed_out, rescinded, breaks, parked,
        overdue;
    long parked_by[FILTERS];                   /* the filter that removed the last experts */
    double offer_s[3], accept_s[3], done_s[3]; /* median, p90, p99 from the ticket's arrival */
    double utilisation;                        /* of hours on shift, travelling or at work */
    double travel_part;                        /* of that, travelling */
    double km_per_job, overtime_h;
    double jain_all;                          /* jobs per available hour, all experts */
    double jain_groups_min, jain_groups_mean; /* among equals */
    int groups;
    long double_booked; /* must be 0: an expert above capacity, a ticket accepted twice */
};

void sim_run(const struct sim_options *options, struct sim_result *ret);
void sim_print(const struct sim_options *options, const struct sim_result *result, FILE *out);
