#include "desk.h"
#include "loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(place, .init = desk_set_up, .fini = desk_tear_down, .timeout = 300);

Test(place, every_ticket_gets_a_right_expert_a_notice_and_events)
{
    add_tickets(&w, 12, "(ARRAY['tv','internet','phone'])[1 + i % 3]", "'28013'");
    sweep_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE state = 'reserved'"),
                 12);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM notice WHERE state = 'pending'"), 12);
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM outbox WHERE type = 'squad.ticket.reserved.v1'"),
        12);
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM outbox WHERE type = 'squad.notice.requested.v1' "
                           "AND aggregatetype = 'notice' AND payload->>'notice_id' IN (SELECT "
                           "id::text FROM notice)"),
        12);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM ticket_event WHERE kind = 'reserved' AND "
                                    "actor = 'assigner/test'"),
                 12);
    expect_sound(&w);
}

Test(place, nobody_fits_is_parked_once_with_the_count_of_each_filter)
{
    add_tickets(&w, 1, "'tv'", "'99001'");
    sweep_and_place(&d);
    char *parked = world_sql(&w, "SELECT parked FROM dispatch WHERE state = 'parked'");
    cr_assert_not_null(parked);
    cr_expect(strstr(parked, "\"area\": 12"), "%s", parked);
    free(parked);
    struct err err = {0};
    cr_assert_eq(sweep_waiting(&d.sweep, &d.batch, &err), 0);
    cr_assert_eq(d.batch.n, 1);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM ticket_event"), 1, "said once");
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM outbox WHERE type = 'squad.ticket.parked.v1'"), 1);
}

Test(place, an_unknown_type_is_for_a_person_until_it_is_made_known)
{
    add_tickets(&w, 1, "'perpetuum-mobile'", "'28013'");
    sweep_and_place(&d);
    cr_expect_eq(world_sql_long(&w,
                                "SELECT count(*) FROM dispatch WHERE state = 'review' AND flags = "
                                "'{unknown_type}'"),
                 1);
    free(world_sql(&w, "INSERT INTO ticket_type VALUES ('perpetuum-mobile', 'x', 1)"));
    struct err err = {0};
    cr_assert_eq(sweep_review(&d.sweep, &d.batch, &err), 0);
    cr_assert_eq(d.batch.n, 1);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'assigned' AND "
                                    "flags = '{}' AND priority = 1"),
                 1);
}

Test(place, an_unknown_contract_is_flagged_and_dispatched)
{
    add_tickets(&w, 1, "'tv'", "'28013'");
    free(world_sql(&w,
                   "SET session_replication_role = replica; UPDATE ticket SET contract = 'gone'; "
                   "RESET session_replication_role"));
    sweep_and_place(&d);
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'assigned' AND flags = "
                           "'{unknown_contract}'"),
        1);
}

Test(place, the_freed_expert_takes_the_best_waiting_ticket)
{
    /* Only experts 9 and 12 serve 28999; together they have 6 slots. */
    free(world_sql(&w, "UPDATE expert SET active = false WHERE id <> 12"));
    wake_and_place(&d);
    add_tickets(&w, 6, "(ARRAY['wiring','tv','internet'])[1 + i % 3]", "'28999'");
    sweep_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'assigned'"), 4);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked' AND "
                                    "(parked->>'capacity')::int = 1 AND priority = 4"),
                 2, "the least urgent wait");
    char *first = world_sql(&w, "SELECT ticket_id FROM dispatch WHERE state = 'parked' ORDER BY "
                                "priority, created_at, ticket_id");
    complete(&w, "state = 'reserved' ORDER BY id LIMIT 1");
    wake_and_place(&d);
    cr_expect_eq(world_sql_long(&w,
                                "SELECT count(*) FROM dispatch WHERE state = 'assigned' AND "
                                "ticket_id = '%s'",
                                first),
                 1);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked'"), 1);
    free(first);
    expect_sound(&w);
}

Test(place, a_changed_expert_is_seen_and_a_stale_roster_is_refused)
{
    add_tickets(&w, 5, "'tv'", "'28013'");
    /* The roster does not know yet: the check in the transaction or the trigger must. */
    free(world_sql(
        &w, "DELETE FROM expert_skill WHERE skill = 'tv' AND expert_id <> 7; UPDATE expert SET "
            "active = false WHERE id = 1"));
    sweep_and_place(&d);
    for (int i = 0; i < 3; i++)
        wake_and_place(&d);
    struct err err = {0};
    cr_assert_eq(sweep_waiting(&d.sweep, &d.batch, &err), 0);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE expert_id <> 7"), 0);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE expert_id = 7"), 3,
                 "as many as the slots of expert 7");
    expect_sound(&w);
}

Test(place, an_event_has_one_effect_however_often_it_comes)
{
    uint8_t ticket[16], event[16] = {1};
    struct err err = {0};
    add_tickets(&w, 1, "'tv'", "'28013'");
    char *id = world_sql(&w, "SELECT id FROM ticket");
    cr_assert(uuid_parse(id, strlen(id), ticket));
    for (int i = 0; i < 3; i++) {
        batch_event(&d.batch, ticket, event, NULL, 0);
        batch_event(&d.batch, ticket, event, NULL, 0);
        cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
        batch_clear(&d.batch);
    }
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 1);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM inbox WHERE consumer = 'assigner'"), 1);
    free(id);
}

Test(place, an_event_of_no_ticket_is_passed_over)
{
    uint8_t ticket[16] = {9}, event[16] = {1};
    struct err err = {0};
    batch_event(&d.batch, ticket, event, NULL, 0);
    cr_expect_eq(place(&d.placer, &d.batch, &err), 0);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch"), 0);
}

Test(place, after_an_undeliverable_notice_the_next_expert_is_tried)
{
    struct err err = {0};
    add_tickets(&w, 1, "'appliance'", "'28013'");
    sweep_and_place(&d);
    char *first = world_sql(&w, "SELECT expert_id FROM assignment");
    free(world_sql(
        &w,
        "UPDATE notice SET state = 'sending', attempts = 1; SELECT notice_finish(array_agg(id), "
        "'{1}', '{f}', '{500}', '{x}', 'test') FROM notice"));
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked'"), 1);
    cr_assert_eq(sweep_waiting(&d.sweep, &d.batch, &err), 0);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    cr_expect_eq(
        world_sql_long(&w,
                       "SELECT count(*) FROM assignment WHERE state = 'reserved' AND attempt = 2 "
                       "AND expert_id <> %s",
                       first),
        1);
    free(first);
    expect_sound(&w);
}

/* The notices of all reserved assignments are delivered. */
static void deliver(struct world *world)
{
    free(world_sql(
        world,
        "UPDATE notice SET state = 'sending', attempts = 1 WHERE state = 'pending'; "
        "SELECT count(*) FROM notice_finish(ARRAY(SELECT id FROM notice WHERE state = 'sending'), "
        "ARRAY(SELECT attempts FROM notice WHERE state = 'sending'), "
        "ARRAY(SELECT true FROM notice WHERE state = 'sending'), "
        "ARRAY(SELECT 200 FROM notice WHERE state = 'sending'), "
        "ARRAY(SELECT NULL::text FROM notice WHERE state = 'sending'), 'test')"));
}

static void due_and_place(struct desk *desk)
{
    struct err err = {0};
    int tired;
    cr_assert_eq(sweep_due(&desk->sweep, &desk->batch, &tired, &err), 0, "%s", err.text);
    cr_assert_eq(roster_refresh(desk->pg, &desk->roster, &desk->snapshot, NULL, &err), 0);
    cr_assert_eq(place(&desk->placer, &desk->batch, &err), 0, "%s", err.text);
    batch_clear(&desk->batch);
}

Test(place, an_offer_that_is_not_answered_goes_to_the_next_expert_with_its_age)
{
    add_tickets(&w, 1, "'appliance'", "'28013'");
    sweep_and_place(&d);
    deliver(&w);
    due_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 1, "not yet");
    free(world_sql(&w, "UPDATE assignment SET expires_at = now() - interval '1 s'"));
    due_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE state = 'timed_out'"),
                 1);
    cr_expect_eq(world_sql_long(&w, "SELECT count(DISTINCT expert_id) FROM assignment"), 2);
    cr_expect_eq(world_sql_long(
                     &w, "SELECT count(*) FROM dispatch d JOIN ticket t ON t.id = ticket_id WHERE "
                         "d.created_at = t.created_at AND routable_at = t.created_at"),
                 1);
    expect_sound(&w);
}

Test(place, a_declined_ticket_is_not_offered_to_the_same_expert_again)
{
    struct err err = {0};
    add_tickets(&w, 1, "'appliance'", "'28013'");
    sweep_and_place(&d);
    for (int i = 0; i < 4; i++) {
        free(world_sql(
            &w, "SELECT count(*) FROM assignment a, offer_decline(a.id, NULL, 'busy', 'test') "
                "WHERE a.ended_at IS NULL"));
        cr_assert_eq(roster_refresh(d.pg, &d.roster, &d.snapshot, NULL, &err), 0);
        cr_assert_eq(sweep_waiting(&d.sweep, &d.batch, &err), 0);
        cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
        batch_clear(&d.batch);
    }
    /* Experts 4, 7, 9 and 12 have the skill there. */
    cr_expect_eq(
        world_sql_long(&w,
                       "SELECT count(DISTINCT expert_id) FROM assignment WHERE state = 'declined'"),
        4);
    cr_expect_eq(world_sql_long(
                     &w, "SELECT (parked->>'excluded')::int FROM dispatch WHERE state = 'parked'"),
                 4);
    cr_expect_eq(world_sql_long(
                     &w,
                     "SELECT count(*) FROM dispatch WHERE retry_at BETWEEN now() + interval '11 h' "
                     "AND now() + interval '12 h'"),
                 1, "when the first exclusion ends");
    expect_sound(&w);
}

Test(place, a_ticket_that_has_waited_is_offered_to_several_at_once)
{
    struct err err = {0};
    free(
        world_sql(&w, "UPDATE ticket_type SET offers_max = 3; UPDATE expert SET status = 'break'"));
    wake_and_place(&d);
    add_tickets(&w, 1, "'tv'", "'28013'");
    sweep_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT (parked->>'presence')::int FROM dispatch"), 6);
    free(world_sql(&w, "UPDATE expert SET status = 'available'"));
    cr_assert_eq(roster_load_types(d.pg, &d.roster, &err), 0);
    wake_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE state = 'reserved'"), 3);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM notice"), 3);
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE offers = 3 AND attempts = 3"), 1);
    deliver(&w);
    free(world_sql(&w, "SELECT outcome FROM offer_accept((SELECT id FROM assignment WHERE place = "
                       "2), NULL, 'test')"));
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE state = 'rescinded'"),
                 2);
    cr_expect_eq(world_sql_long(&w, "SELECT sum(load) FROM expert_load"), 1);
    expect_sound(&w);
}

Test(place, a_requirement_that_is_dropped_wakes_the_ticket)
{
    struct err err = {0};
    free(world_sql(
        &w, "UPDATE ticket_type_skill SET min_level = 5, importance = 3 WHERE type = 'wiring'; "
            "UPDATE priority SET relax_3_s = 8 WHERE priority = 4"));
    cr_assert_eq(roster_load_types(d.pg, &d.roster, &err), 0);
    add_tickets(&w, 1, "'wiring'", "'28013'");
    sweep_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked' AND "
                                    "retry_at = routable_at + interval '8 s'"),
                 1);
    due_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 0);
    free(world_sql(&w, "SELECT pg_sleep(greatest(extract(epoch FROM retry_at - clock_timestamp()), "
                       "0)) FROM dispatch"));
    due_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE state = 'reserved'"), 1);
    expect_sound(&w);
}

Test(place, the_shift_that_begins_and_the_absence_that_ends_wake_the_expert)
{
    struct err err = {0};
    free(world_sql(
        &w, "UPDATE expert SET active = false WHERE id NOT IN (1, 7); DELETE FROM expert_shift; "
            "INSERT INTO expert_shift VALUES (1, tstzrange(now() + interval '5 s', now() + "
            "interval '9 h')); "
            "UPDATE expert SET schedule = 'always' WHERE id = 7; "
            "INSERT INTO absence (expert_id, during) VALUES (7, tstzrange(now(), now() + interval "
            "'5 s')); "
            "UPDATE expert_load SET capacity = 1 WHERE expert_id IN (1, 7)"));
    wake_and_place(&d);
    cr_assert_eq(roster_pass_time(d.pg, &d.roster, wall_us(), NULL, &err), 0);
    wake_and_place(&d);
    add_tickets(&w, 2, "'tv'", "'28013'");
    sweep_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked' AND "
                                    "(parked->>'shift')::int = 1 AND (parked->>'absent')::int = 1"),
                 2);
    free(world_sql(&w, "SELECT pg_sleep(greatest(extract(epoch FROM lower(during) - "
                       "clock_timestamp()), 0) + 0.1) FROM expert_shift"));
    cr_assert_eq(roster_pass_time(d.pg, &d.roster, wall_us(), NULL, &err), 0, "%s", err.text);
    cr_expect_eq(d.roster.n_woken, 2);
    wake_and_place(&d);
    cr_expect_eq(
        world_sql_long(&w,
                       "SELECT count(DISTINCT expert_id) FROM assignment WHERE state = 'reserved'"),
        2);
    expect_sound(&w);
}

Test(place, an_expert_who_goes_off_loses_his_offers_and_they_go_on)
{
    struct err err = {0};
    struct ids off = {0};
    add_tickets(&w, 1, "'appliance'", "'28013'");
    sweep_and_place(&d);
    char *first = world_sql(&w, "SELECT expert_id FROM assignment");
    free(world_sql(&w, "UPDATE expert SET status = 'offline' WHERE id = %s", first));
    cr_assert_eq(roster_refresh(d.pg, &d.roster, &d.snapshot, &off, &err), 0);
    cr_assert_eq(off.n, 1);
    cr_assert_eq(sweep_off(&d.sweep, &off, &d.batch, &err), 0, "%s", err.text);
    cr_expect_eq(off.n, 0);
    cr_assert_eq(d.batch.n, 1);
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    cr_expect_eq(world_sql_long(
                     &w,
                     "SELECT count(*) FROM assignment WHERE state = 'rescinded' AND expert_id = %s",
                     first),
                 1);
    cr_expect_eq(world_sql_long(
                     &w,
                     "SELECT count(*) FROM assignment WHERE state = 'reserved' AND expert_id <> %s",
                     first),
                 1);
    free(first);
    free(off.items);
    expect_sound(&w);
}

/* Experts freed one at a time: no newer ticket overtakes an equal older one, and past due goes
 * first. */
Test(place, experts_freed_one_at_a_time_take_the_past_due_and_then_the_oldest)
{
    free(world_sql(&w, "UPDATE expert SET active = false WHERE id NOT IN (1, 2); UPDATE "
                       "expert_load SET capacity = 1 "
                       "WHERE expert_id IN (1, 2)"));
    wake_and_place(&d);
    for (int i = 0; i < 12; i++) {
        add_tickets(&w, 1, "'tv'", "'28013'");
        sweep_and_place(&d);
    }
    free(world_sql(&w, "UPDATE dispatch SET assign_due = now() - interval '1 s' WHERE ticket_id IN "
                       "(SELECT ticket_id FROM dispatch WHERE state = 'parked' ORDER BY created_at "
                       "DESC LIMIT 2)"));
    for (int i = 0; i < 12; i++) {
        complete(&w, "state = 'reserved' ORDER BY reserved_at LIMIT 1");
        wake_and_place(&d);
    }
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 12);
    char *order = world_sql(
        &w, "SELECT string_agg(n::text, ' ' ORDER BY reserved_at) FROM assignment a JOIN (SELECT "
            "ticket_id, "
            "row_number() OVER (ORDER BY created_at) AS n FROM dispatch) d USING (ticket_id)");
    cr_expect_str_eq(order, "1 2 11 12 3 4 5 6 7 8 9 10");
    free(order);
    expect_sound(&w);
}

/* 8 assigners at once after the same tickets and the same few slots. */
static void race(bool no_advisory_locks)
{
    enum { ASSIGNERS = 8, TICKETS = 400 };
    free(world_sql(
        &w, "UPDATE expert SET active = false WHERE id > 3; UPDATE expert_load SET capacity = 40"));
    add_tickets(&w, TICKETS, "(ARRAY['tv','internet','phone'])[1 + i % 3]", "'28013'");
    pid_t child[ASSIGNERS];
    fflush(NULL);
    for (int i = 0; i < ASSIGNERS; i++) {
        child[i] = fork();
        if (child[i])
            continue;
        struct desk mine;
        struct err err = {0};
        unsigned seed = (unsigned)i;
        open_desk(&mine, &w);
        mine.placer.no_advisory_locks = no_advisory_locks;
        PGresult *res = PQexec(pg_conn(mine.pg), "SELECT id FROM ticket");
        for (int k = 0; k < 40; k++) {
            for (int n = 0; n < 15; n++) {
                uint8_t id[16];
                pg_get_uuid(res, rand_r(&seed) % PQntuples(res), 0, id);
                batch_swept(&mine.batch, id, NULL);
            }
            if (place(&mine.placer, &mine.batch, &err) && err.kind != ERR_RETRY)
                _exit(2);
            batch_clear(&mine.batch);
            if (rand_r(&seed) % 4 == 0 &&
                (roster_refresh(mine.pg, &mine.roster, &mine.snapshot, NULL, &err) ||
                 sweep_woken(&mine.sweep, &mine.roster, &mine.batch, &err)))
                _exit(3);
        }
        _exit(0);
    }
    for (int i = 0; i < ASSIGNERS; i++) {
        int status;
        waitpid(child[i], &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "assigner %d: %d", i, status);
    }
    expect_sound(&w);
    cr_expect_eq(world_sql_long(&w, "SELECT sum(load) FROM expert_load"), 120,
                 "every slot is taken");
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 120);
}

Test(place, eight_assigners_at_once_fill_every_slot_and_no_more)
{
    race(false);
}

Test(place, with_every_lock_switched_off_the_constraints_hold)
{
    race(true);
}
