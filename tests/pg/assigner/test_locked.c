/* Somebody has a session open in which he has changed an expert, a ticket or an offer: that one
 * waits for him, and nobody else does. */
#include "desk.h"
#include "loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static PGconn *owner;

static void set_up(void)
{
    desk_set_up();
    owner = PQconnectdb(w.conninfo);
    cr_assert_eq(PQstatus(owner), CONNECTION_OK);
}

static void tear_down(void)
{
    PQfinish(owner);
    desk_tear_down();
}

TestSuite(locked, .init = set_up, .fini = tear_down, .timeout = 60);

static void say(const char *sql)
{
    const char *state = world_sqlstate(owner, sql);
    cr_assert_str_empty(state, "%s: %s", sql, state);
}

static void set_off(void)
{
    say("BEGIN; SET search_path = squad; UPDATE expert SET active = false WHERE id = 12");
}

/* Only expert 12, and beside him those given, work. */
static void work_only(const char *others)
{
    free(world_sql(&w, "UPDATE expert SET active = false WHERE id NOT IN (12%s)", others));
    wake_and_place(&d);
}

static long count(const char *state)
{
    return world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = '%s'", state);
}

static void place_batch(void)
{
    struct err err = {0};
    cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
    batch_clear(&d.batch);
}

/* As a second later. */
static void later(void)
{
    place_later(&d.placer, now_ms() + PLACE_LOCK_TIMEOUT_MS, &d.batch);
    place_batch();
    wake_and_place(&d);
}

Test(locked, an_expert_whom_somebody_changes_is_left_out_and_the_others_get_the_tickets)
{
    work_only(",2");
    set_off();
    add_tickets(&w, 2, "'tv'", "'28013'");
    int64_t start_us = wall_us();
    sweep_and_place(&d);
    wake_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE expert_id = 12"), 0);
    cr_expect_gt(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE expert_id = 2"), 0);
    cr_expect_lt(wall_us() - start_us, 10000000, "took %ld ms",
                 (long)(wall_us() - start_us) / 1000);
    PQclear(PQexec(pg_conn(d.pg), "SET lock_timeout = '10s'")); /* a wait, not a slow machine */
    start_us = wall_us();
    add_tickets(&w, 1, "'tv'", "'28013'");
    sweep_and_place(&d);
    later();
    cr_expect_lt(wall_us() - start_us, 9000000, "and the next ones do not wait at all: %ld ms",
                 (long)(wall_us() - start_us) / 1000);
    say("ROLLBACK");
    expect_sound(&w);
}

Test(locked, a_ticket_whose_only_expert_is_locked_waits_for_a_moment_and_no_reason_is_told)
{
    work_only("");
    set_off();
    add_tickets(&w, 1, "'tv'", "'28013'");
    sweep_and_place(&d);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked' AND "
                                        "parked = '{\"contended\": true}'"),
                     1);
        uint64_t again = d.placer.again;
        later();
        cr_expect_leq(d.placer.again, again + 1, "no ticket goes round and round for him");
    }
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM outbox WHERE type = 'squad.ticket.parked.v1'"), 0);
    say("ROLLBACK"); /* nothing has changed that a refresh could see */
    later();
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment WHERE expert_id = 12"), 1);
    expect_sound(&w);
}

Test(locked, an_expert_who_was_set_off_meanwhile_gets_nothing)
{
    work_only("");
    set_off();
    add_tickets(&w, 1, "'tv'", "'28013'");
    sweep_and_place(&d);
    say("COMMIT");
    later();
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 0);
    struct err err = {0};
    cr_assert_eq(sweep_waiting(&d.sweep, &d.batch, &err), 0);
    place_batch();
    cr_expect_eq(world_sql_long(
                     &w, "SELECT (parked->>'inactive')::int FROM dispatch WHERE state = 'parked'"),
                 12);
}

Test(locked, a_ticket_that_somebody_changes_is_left_for_later_and_the_others_are_decided)
{
    uint8_t event[2][16] = {{1}, {2}}, ticket[16];
    work_only("");
    free(world_sql(&w, "UPDATE expert SET status = 'break' WHERE id = 12"));
    wake_and_place(&d);
    add_tickets(&w, 2, "'tv'", "'28013'");
    sweep_and_place(&d);
    cr_assert_eq(count("parked"), 2);
    free(world_sql(&w, "UPDATE expert SET status = 'available' WHERE id = 12"));
    say("BEGIN; SET search_path = squad; SELECT outcome FROM (SELECT ticket_id FROM dispatch LIMIT "
        "1) "
        "x, ticket_prioritize(ticket_id, 1, NULL, 'x', 'boss')");
    PGresult *res = PQexec(w.pg, "SELECT id FROM ticket");
    for (int i = 0; i < 2; i++) {
        pg_get_uuid(res, i, 0, ticket);
        batch_event(&d.batch, ticket, event[i], NULL, 0);
    }
    PQclear(res);
    struct err err = {0};
    cr_assert_eq(roster_refresh(d.pg, &d.roster, &d.snapshot, NULL, &err), 0);
    roster_wake(&d.roster, roster_find(&d.roster, 12), false);
    place_batch();
    cr_expect_eq(count("assigned"), 1);
    later();
    cr_expect_eq(count("assigned"), 1);
    say("COMMIT");
    later();
    cr_expect_eq(count("assigned"), 2);
    cr_expect_eq(d.placer.held.n, 0);
    expect_sound(&w);
}

Test(locked, a_new_ticket_that_its_customer_changes_is_left_for_later_and_the_others_are_decided)
{
    add_tickets(&w, 3, "'tv'", "'28013'");
    say("BEGIN; SELECT squad.ticket_amend(1, (SELECT id FROM squad.ticket LIMIT 1), NULL, "
        "'{\"problem\": \"y\"}', 'app')");
    sweep_and_place(&d);
    cr_expect_eq(count("assigned"), 2);
    later();
    cr_expect_eq(count("assigned"), 2);
    say("COMMIT");
    later();
    cr_expect_eq(count("assigned"), 3);
    cr_expect_eq(d.placer.held.n, 0);
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM outbox a JOIN outbox r USING (aggregateid) WHERE "
                           "a.type = 'squad.ticket.amended.v1' AND r.type = "
                           "'squad.ticket.reserved.v1' AND a.seq < r.seq"),
        1);
    expect_sound(&w);
}

/* Somebody calls the first ticket off while the batch waits for its expert. */
Test(locked, a_slot_that_was_planned_and_not_taken_is_not_counted)
{
    work_only("");
    say("SELECT pg_advisory_lock(1, 12)");
    add_tickets(&w, 1, "'tv'", "'28013'");
    pid_t child = fork();
    if (!child) {
        PGconn *pg = PQconnectdb(w.conninfo);
        PQclear(PQexec(pg,
                       "DO $$ BEGIN FOR i IN 1..900 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks "
                       "WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid "
                       "FROM pg_database WHERE datname = current_database())); PERFORM "
                       "pg_sleep(0.001); END LOOP; END $$"));
        PQclear(
            PQexec(pg, "SELECT outcome FROM squad.ticket t, squad.ticket_cancel(t.id, NULL, 'x')"));
        PQclear(PQexec(pg,
                       "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database b ON "
                       "b.oid = l.database WHERE b.datname = current_database() AND "
                       "l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()"));
        _exit(0);
    }
    sweep_and_place(&d);
    waitpid(child, NULL, 0);
    cr_assert_eq(count("canceled"), 1);
    cr_expect_eq(roster_find(&d.roster, 12)->load, 0);
    cr_expect_eq(roster_find(&d.roster, 12)->taken, 0);
}

Test(locked, a_ticket_that_is_refused_twice_is_tried_again_though_nothing_names_it)
{
    work_only("");
    add_tickets(&w, 1, "'tv'", "'28013'");
    free(world_sql(&w,
                   "INSERT INTO exclusion (ticket_id, expert_id, reason) SELECT id, 12, 'declined' "
                   "FROM ticket"));
    free(world_sql(&w, "UPDATE expert SET active = false WHERE id = 3"));
    struct ids off = {0};
    d.placer.off = &off;
    sweep_and_place(&d);
    cr_assert_eq(d.placer.refused, 1);
    bool noted = false;
    for (size_t i = 0; i < off.n; i++)
        noted |= off.items[i] == 3;
    cr_expect(noted, "the reload after a refusal has seen that he is off, and no refresh will");
    free(off.items);
    d.placer.off = NULL;
    free(world_sql(&w, "DELETE FROM exclusion"));
    place_later(&d.placer, now_ms() + 1000, &d.batch);
    cr_expect_eq(d.batch.n, 0, "not at once");
    place_later(&d.placer, now_ms() + 31000, &d.batch);
    place_batch();
    cr_expect_eq(count("assigned"), 1);
}

Test(locked, a_failed_look_for_waiting_tickets_wakes_the_experts_again)
{
    struct err err = {0};
    roster_wake(&d.roster, roster_find(&d.roster, 12), true);
    say("BEGIN; LOCK TABLE squad.dispatch");
    cr_expect_neq(sweep_woken(&d.sweep, &d.roster, &d.batch, &err), 0);
    say("ROLLBACK");
    cr_expect(roster_find(&d.roster, 12)->woken);
}
