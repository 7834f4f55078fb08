#include "batch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static const uint8_t *id(uint8_t n)
{
    static uint8_t ids[256][16];
    ids[n][15] = n;
    return ids[n];
}

Test(batch, a_ticket_is_there_once_with_all_its_events)
{
    struct batch b = {0};
    batch_event(&b, id(2), id(20), NULL, 0);
    batch_event(&b, id(1), id(10), trace, strlen(trace));
    batch_swept(&b, id(2), NULL);
    batch_event(&b, id(2), id(21), trace, strlen(trace));
    batch_event(&b, id(2), id(20), NULL, 0);
    batch_fold(&b);
    cr_assert_eq(b.n, 2);
    cr_assert_eq(b.n_events, 3);
    cr_expect_eq(b.jobs[0].events, 1);
    cr_expect_not(b.jobs[0].swept);
    struct job *j = batch_find(&b, id(2));
    cr_assert_not_null(j);
    cr_expect(j->swept);
    cr_expect_eq(j->events, 2);
    cr_expect_arr_eq(b.events[j->event].id, id(20), 16);
    cr_expect_str_eq(j->traceparent, trace);
    cr_expect_null(batch_find(&b, id(3)));
    batch_free(&b);
}

Test(batch, a_traceparent_of_another_length_is_left_out)
{
    struct batch b = {0};
    batch_event(&b, id(1), id(10), "00-short", 8);
    batch_fold(&b);
    cr_expect_str_empty(b.jobs[0].traceparent);
    batch_free(&b);
}

/* Two types, one expert with one slot: who comes first? */
Test(batch, first_by_priority_then_by_age_then_the_rest_is_parked)
{
    struct roster roster = {0};
    struct batch b = {0};
    struct job *order[4];
    struct expert e = {.id = 1,
                       .active = true,
                       .available = true,
                       .shift = span_always,
                       .absence = span_never,
                       .capacity = 2};
    roster_add_type(&roster, "urgent", 1);
    roster_add_type(&roster, "other", 3);
    roster_put(&roster, &e, "", "28");
    for (uint8_t i = 0; i < 4; i++)
        batch_swept(&b, id(i), NULL);
    batch_fold(&b);
    for (size_t i = 0; i < 4; i++) {
        b.jobs[i].open = true;
        b.jobs[i].type = roster_type(&roster, i == 3 ? "urgent" : "other");
        b.jobs[i].created_us = b.jobs[i].due_us = 100 - (int64_t)i;
        strcpy(b.jobs[i].area, "28013");
        order[i] = &b.jobs[i];
    }
    plan(&roster, order, 4, false, 0);
    cr_expect_eq(b.jobs[3].verdict, VERDICT_RESERVE, "the urgent one");
    cr_expect_eq(b.jobs[2].verdict, VERDICT_RESERVE, "the oldest of the others");
    cr_expect_eq(b.jobs[1].verdict, VERDICT_PARK);
    cr_expect_eq(b.jobs[0].verdict, VERDICT_PARK);
    cr_expect_eq(roster.experts[0].taken, 2);
    cr_expect_str_eq(b.jobs[0].json, "{\"experts\":1,\"inactive\":0,\"area\":0,\"skill\":0,"
                                     "\"shift\":0,\"absent\":0,\"presence\":0,"
                                     "\"excluded\":0,\"capacity\":1}");
    batch_free(&b);
    roster_free(&roster);
}

Test(batch, unknown_types_go_to_review_and_closed_tickets_nowhere)
{
    struct roster roster = {0};
    struct batch b = {0};
    struct job *order[2];
    batch_swept(&b, id(0), NULL);
    batch_swept(&b, id(1), NULL);
    batch_fold(&b);
    b.jobs[0].open = true;
    for (size_t i = 0; i < 2; i++)
        order[i] = &b.jobs[i];
    plan(&roster, order, 2, false, 0);
    cr_expect_eq(b.jobs[0].verdict, VERDICT_REVIEW);
    cr_expect_eq(b.jobs[1].verdict, VERDICT_NONE);
    batch_free(&b);
    roster_free(&roster);
}

/* More are woken than are asked about at once: a ticket from further behind must not take one of
 * them. */
Test(batch, who_is_woken_goes_to_what_is_first_only)
{
    struct roster roster = {0};
    struct batch b = {0};
    struct job *order[2];
    roster_add_type(&roster, "tv", 3);
    struct expert e = {.id = 1,
                       .version = 1,
                       .active = true,
                       .available = true,
                       .capacity = 1,
                       .shift = span_always,
                       .absence = span_never};
    roster_wake(&roster, roster_put(&roster, &e, "", "28"), true);
    batch_swept(&b, id(0), NULL);
    batch_swept(&b, id(1), NULL)->first = true;
    batch_fold(&b);
    for (size_t i = 0; i < 2; i++) {
        struct job *j = order[i] = &b.jobs[i];
        j->open = j->waited = true;
        j->type = roster_type(&roster, "tv");
        j->due_us = j->excluded_us = INT64_MAX;
        snprintf(j->area, sizeof j->area, "28013");
    }
    plan(&roster, order, 1, false, 0);
    cr_expect_eq(b.jobs[0].verdict, VERDICT_NONE, "it stays as it is, with its reason");
    plan(&roster, &order[1], 1, false, 0);
    cr_expect_eq(b.jobs[1].verdict, VERDICT_RESERVE);
    batch_free(&b);
    roster_free(&roster);
}
