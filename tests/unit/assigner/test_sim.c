#include "sim.h"

#include <criterion/criterion.h>
#include <string.h>

Test(sim, a_day_of_900_experts_books_nobody_twice_and_repeats_with_its_seed, .timeout = 120)
{
    struct sim_result a, b;
    struct sim_options o = sim_defaults;
    sim_run(&o, &a);
    sim_run(&o, &b);
    cr_expect_eq(memcmp(&a, &b, sizeof a), 0, "the same seed gave another day");
    cr_expect_eq(a.double_booked, 0);
    cr_expect_gt(a.tickets, 2500);
    cr_expect_gt(a.completed, a.tickets / 2);
    cr_expect_gt(a.declined, 50);
    cr_expect_gt(a.timed_out, 20);
    o.seed++;
    sim_run(&o, &b);
    cr_expect_neq(memcmp(&a, &b, sizeof a), 0, "another seed gave the same day");
}

Test(sim, several_offers_at_once_are_accepted_by_one, .timeout = 120)
{
    struct sim_result r;
    struct sim_options o = sim_defaults;
    o.offers_max = 3;
    o.tickets_per_day = 9000; /* so many that tickets wait */
    sim_run(&o, &r);
    cr_expect_eq(r.double_booked, 0);
    cr_expect_gt(r.rescinded, 10, "%ld", r.rescinded);
}

/* The goal: jobs per available hour among equals, Jain index of 0.95 in a simulated week. */
Test(sim, equals_have_equal_work_in_a_week, .timeout = 300)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_result r;
        struct sim_options o = sim_defaults;
        o.seed = seed;
        o.days = 7;
        o.equals = true;
        sim_run(&o, &r);
        cr_expect_eq(r.double_booked, 0);
        cr_assert_gt(r.groups, 20, "seed %lu: %d groups are too few to say anything", seed,
                     r.groups);
        cr_expect_geq(r.jain_groups_min, 0.95, "seed %lu: %.3f", seed, r.jain_groups_min);
    }
}

/* That the index tells: by number alone the lowest numbers get the work. */
Test(sim, without_load_and_idle_equals_do_not_have_equal_work, .timeout = 300)
{
    struct sim_result r;
    struct sim_options o = sim_defaults;
    o.days = 7;
    o.equals = true;
    o.objectives = "skill_fit";
    sim_run(&o, &r);
    cr_expect_lt(r.jain_groups_mean, 0.95, "%.3f", r.jain_groups_mean);
}
