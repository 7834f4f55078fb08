/* The net below the events: tickets that none has brought, whatever clock made their ids. */
#include "desk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(missing, .init = desk_set_up, .fini = desk_tear_down, .timeout = 60);

enum { PRESENT_MS = -1000, AGE_MS = 10000 };

/* How many tickets the sweep brings now, page after page, when it goes on from where it is. */
static size_t found(long min_age_ms)
{
    struct err err = {0};
    do {
        cr_assert_eq(sweep_missing(&d.sweep, min_age_ms, &d.batch, &err), 0, "%s", err.text);
    } while (d.sweep.missing_more);
    size_t n = d.batch.n;
    batch_clear(&d.batch);
    return n;
}

/* New tickets with ids of another time, in hours from now. */
static void add_with_wrong_clock(int n, int hours)
{
    char sql[200];
    add_tickets(&w, n, "'tv'", "'28013'");
    snprintf(sql, sizeof sql,
             "UPDATE ticket SET id = (lpad(to_hex(('x' || left(replace(id::text, '-', ''), "
             "12))::bit(48)::bigint + "
             "%d * 3600000::bigint), 12, '0') || right(replace(id::text, '-', ''), 20))::uuid",
             hours);
    free(world_sql(&w, sql));
}

Test(missing, a_ticket_is_found_when_it_is_old_enough)
{
    add_tickets(&w, 3, "'tv'", "'28013'");
    cr_expect_eq(found(AGE_MS), 0);
    free(world_sql(&w, "UPDATE ticket SET created_at = created_at - interval '11 s'"));
    cr_expect_eq(found(AGE_MS), 3);
}

Test(missing, a_ticket_of_a_clock_that_is_ahead_is_found_in_every_sweep)
{
    cr_expect_eq(found(PRESENT_MS), 0);
    add_with_wrong_clock(6000, 8766); /* more than a page */
    cr_expect_eq(found(AGE_MS), 0);
    cr_expect_eq(found(PRESENT_MS), 6000);
    cr_expect_eq(found(PRESENT_MS), 6000);
}

Test(missing, a_ticket_of_a_clock_that_is_behind_is_found_from_the_first_on)
{
    add_with_wrong_clock(3, -2);
    cr_expect_eq(found(PRESENT_MS), 3);
    cr_expect_eq(found(PRESENT_MS), 0, "it went on from a minute ago");
}
