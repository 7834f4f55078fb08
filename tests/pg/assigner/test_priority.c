/* A waiting ticket goes by its own priority, which follows its type unless a person has set it. */
#include "desk.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(priority, .init = desk_set_up, .fini = desk_tear_down, .timeout = 60);

/* As the assigner does every few seconds: when types or times have changed, all that wait are
 * looked at again. */
static void look_again(void)
{
    struct err err = {0};
    cr_assert_eq(roster_load_types(d.pg, &d.roster, &err), 0, "%s", err.text);
    if (!d.roster.types_changed)
        return;
    d.roster.types_changed = false;
    cr_assert_eq(sweep_waiting(&d.sweep, &d.batch, &err), 0, "%s", err.text);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    batch_clear(&d.batch);
}

static long told_after_s(void)
{
    return world_sql_long(&w,
                          "SELECT extract(epoch FROM tell_at - routable_at)::bigint FROM dispatch");
}

static long priority(void)
{
    return world_sql_long(&w, "SELECT priority FROM dispatch");
}

/* Nobody serves 99001. */
static void park_one(void)
{
    add_tickets(&w, 1, "'tv'", "'99001'");
    sweep_and_place(&d);
    cr_assert_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked'"), 1);
}

static void prioritize(const char *priority)
{
    free(world_sql(
        &w, "SELECT outcome FROM dispatch, ticket_prioritize(ticket_id, %s, NULL, 'x', 'boss')",
        priority));
}

Test(priority, a_waiting_ticket_follows_its_type)
{
    park_one();
    cr_expect_eq(told_after_s(), 14400);
    free(world_sql(&w, "UPDATE ticket_type SET priority = 1 WHERE type = 'tv'"));
    look_again();
    cr_expect_eq(priority(), 1);
    cr_expect_eq(told_after_s(), 600);
    cr_expect_eq(
        world_sql_long(&w,
                       "SELECT extract(epoch FROM assign_due - created_at)::bigint FROM dispatch"),
        900);
}

Test(priority, a_waiting_ticket_follows_the_times_of_its_priority)
{
    park_one();
    free(world_sql(&w, "UPDATE priority SET manager_s = 60 WHERE priority = 3"));
    look_again();
    cr_expect_eq(told_after_s(), 60);
    free(world_sql(&w,
                   "UPDATE priority SET manager_s = NULL, customer_s = NULL WHERE priority = 3"));
    look_again();
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE tell_at IS NULL"), 1,
                 "nobody is to be told");
}

Test(priority, what_a_person_has_set_stays_when_the_type_changes)
{
    park_one();
    prioritize("2");
    free(world_sql(&w, "UPDATE ticket_type SET priority = 1 WHERE type = 'tv'"));
    look_again();
    cr_expect_eq(priority(), 2);
    cr_expect_eq(told_after_s(), 3600);
}

Test(priority, what_a_person_has_set_counts_when_a_type_is_made_known)
{
    struct err err = {0};
    add_tickets(&w, 1, "'perpetuum-mobile'", "'28013'");
    sweep_and_place(&d);
    prioritize("1");
    free(world_sql(&w, "INSERT INTO ticket_type VALUES ('perpetuum-mobile', 'x', 5)"));
    cr_assert_eq(sweep_review(&d.sweep, &d.batch, &err), 0);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    cr_expect_eq(priority(), 1);
    cr_expect_eq(told_after_s(), 600);
}
