/* Nobody is overtaken by an equal: plan() on random companies, experts freed one at a time. */
#include "reference.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { JOBS = 60, STEPS = 120, COMPANIES = 1500 };

static struct job jobs[JOBS];
static int n_jobs, type_of[JOBS], area_of[JOBS];

static bool waits(const struct job *j)
{
    return j->verdict != VERDICT_RESERVE;
}

/* Equal: same type and area, nobody excluded, no expert preferred. */
static void check_order(int newer)
{
    for (int i = 0; i < newer; i++)
        cr_assert(type_of[i] != type_of[newer] || area_of[i] != area_of[newer] || !waits(&jobs[i]),
                  "seed %lu: ticket %d got an expert before %d, which is older", seed, newer, i);
}

static void plan_these(struct job **order, size_t n, int64_t now_us)
{
    plan(&roster, order, n, false, now_us);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < order[i]->n_experts; k++) { /* committed: as settle() does */
            struct expert *e = order[i]->experts[k];
            e->load += 1;
            e->taken -= 1;
            roster_better(&roster, e);
            model[e->id].facts.load = e->load;
        }
    for (size_t i = 0; i < n; i++) {
        order[i]->waited |= waits(order[i]);
        order[i]->open = waits(order[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (!waits(order[i]))
            check_order((int)(order[i] - jobs));
}

static void arrive(int64_t now_us)
{
    struct job *j = &jobs[n_jobs];
    *j = (struct job){.open = true,
                      .created_us = now_us,
                      .routable_us = now_us,
                      .due_us = now_us + 40,
                      .excluded_us = INT64_MAX};
    type_of[n_jobs] = pick(TYPES);
    area_of[n_jobs] = pick(3);
    j->type = roster_type(&roster, names[type_of[n_jobs]]);
    memset(j->ticket, n_jobs, sizeof j->ticket);
    snprintf(j->area, sizeof j->area, "%s", areas[area_of[n_jobs]]);
    n_jobs++;
    struct job *order[] = {j};
    plan_these(order, 1, now_us);
}

/* One slot of one expert becomes free; sometimes a new ticket is faster than those that wait. */
static void free_one(int64_t now_us)
{
    struct expert *e = roster_find(&roster, 1 + pick(EXPERTS));
    struct job *order[JOBS];
    size_t n = 0;
    if (!e || !e->load)
        return;
    e->load--;
    roster_wake(&roster, e, true);
    if (n_jobs < JOBS && pick(2))
        arrive(now_us);
    for (int i = 0; i < n_jobs; i++)
        if (waits(&jobs[i])) {
            jobs[i].first = true; /* all that wait are in the batch */
            order[n++] = &jobs[i];
        }
    plan_these(order, n, now_us);
    roster_wake(&roster, e, false);
}

Test(overtaken, a_newer_ticket_never_overtakes_an_equal_older_one, .timeout = 300)
{
    model_begin();
    int served = 0, waited = 0;
    for (int c = 0; c < COMPANIES; c++) {
        model_make_types();
        memset(model, 0, sizeof model);
        memset(jobs, 0, sizeof jobs);
        n_jobs = 0;
        for (int id = 1; id <= EXPERTS; id++) {
            model_put(id);
            struct expert *e = roster_find(&roster, id);
            roster_set_times(&roster, e, span_always, span_never); /* the clock wakes elsewhere */
            e->load = pick(3) ? e->capacity : 0;
        }
        for (int step = 0; step < STEPS; step++) {
            if (n_jobs < JOBS && pick(2))
                arrive(step);
            else
                free_one(step);
        }
        for (int i = 0; i < n_jobs; i++)
            (*(waits(&jobs[i]) ? &waited : &served))++;
        roster_free(&roster);
    }
    cr_expect_gt(served, 1000, "seed %lu: too few were served to say anything", seed);
    cr_expect_gt(waited, 1000, "seed %lu: too few waited to say anything", seed);
}
