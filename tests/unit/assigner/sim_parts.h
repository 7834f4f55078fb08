/*
 * sim_parts.h - what the files of the simulation share: its state, its company, its numbers.
 */
#pragma once

#include "sim.h"

enum { ZONES = 25, SKILLS = 6, SHIFTS = 3, TRIED_MAX = 64 };
#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

enum kind { ARRIVE, ANSWER, TIMEOUT, DONE, TICK, BACK };

struct happening {
    int64_t at_us;
    enum kind kind;
    int job, expert; /* slot of the roster */
    int offer;       /* number of the offer, so that a late answer finds it over */
};

struct ticket_state {
    struct job job; /* first: plan() gets pointers to it */
    int offers_live, offer_no[OFFERS_MAX];
    int expert[OFFERS_MAX];
    int holder; /* -1: nobody */
    int64_t offered_us, accepted_us, done_us;
    int32_t tried[TRIED_MAX];
    int64_t tried_until_us[TRIED_MAX];
    int n_tried;
    bool was_parked, was_overdue;
};

struct worker {
    int zone, shift, group, rest_day, jobs, timeouts, skill;
    int64_t free_at_us, busy_us, travel_us, on_shift_us, overtime_us;
    double km;
    struct point at;
};

struct sim {
    const struct sim_options *o;
    struct sim_result *r;
    uint64_t state;
    struct roster roster;
    struct happening *heap;
    size_t n_heap, cap_heap;
    struct ticket_state *tickets;
    int n_tickets, cap_tickets, next_offer;
    int *waiting; /* tickets that are parked */
    size_t n_waiting;
    struct worker *workers;
    double zone_lat[ZONES], zone_lon[ZONES];
    int64_t now_us, end_us;
};

extern const char *const sim_skills[SKILLS]; /* and the types of tickets */
extern const int64_t sim_due_s[PRIORITIES + 1];

/* From 0 to below 1. */
double sim_chance(struct sim *sim);

/* Fills the roster: places, types, experts. */
void sim_make_company(struct sim *sim);

/* The present or next shift. */
struct span sim_shift(const struct worker *worker, int64_t now_us);

/* The numbers at the end, into the result. */
void sim_measure(struct sim *sim);
