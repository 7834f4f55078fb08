/* One expert for ten thousand tickets, a storm of presence, a large company, and a death with all
 * locks held. */
#include "desk.h"
#include "loop.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(under_load, .init = desk_set_up, .fini = desk_tear_down, .timeout = 300);

static void place_all_new(void)
{
    struct err err = {0};
    memset(d.sweep.missing_behind, 0, 16);
    do {
        cr_assert_eq(sweep_missing(&d.sweep, -1000, &d.batch, &err), 0, "%s", err.text);
        cr_assert_eq(place(&d.placer, &d.batch, &err), 0, "%s", err.text);
        batch_clear(&d.batch);
    } while (d.sweep.missing_more);
}

Test(under_load, one_expert_for_ten_thousand_tickets_takes_them_in_turn)
{
    enum { FREED = 15, LATE_US = 10000000 };
    free(world_sql(&w, "UPDATE expert SET active = false WHERE id <> 12"));
    free(world_sql(&w, "UPDATE expert_load SET capacity = 5 WHERE expert_id = 12"));
    wake_and_place(&d);
    add_tickets(&w, 10000, "'tv'", "'28013'");
    place_all_new();
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'parked'"), 9995);
    int64_t worst_us = 0;
    for (int i = 0; i < FREED; i++) {
        complete(&w, "id = (SELECT id FROM assignment WHERE ended_at IS NULL ORDER BY id LIMIT 1)");
        int64_t start_us = wall_us();
        wake_and_place(&d);
        worst_us = wall_us() - start_us > worst_us ? wall_us() - start_us : worst_us;
        cr_assert_eq(world_sql_long(&w, "SELECT load FROM expert_load WHERE expert_id = 12"), 5);
    }
    cr_expect_lt(worst_us, LATE_US, "the freed expert waited %ld ms", (long)worst_us / 1000);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM assignment"), 5 + FREED);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch p JOIN dispatch a ON "
                                    "(p.assign_due, p.created_at, p.ticket_id) < "
                                    "(a.assign_due, a.created_at, a.ticket_id) "
                                    "WHERE p.state = 'parked' AND a.state <> 'parked'"),
                 0, "a newer ticket overtook an older one");
    expect_sound(&w);
}

static void change_presence(unsigned seed)
{
    static const char *const states[] = {"available", "busy", "break", "offline"};
    PGconn *pg = PQconnectdb(w.conninfo);
    for (int i = 0; i < 120; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT squad.expert_status_set(%d, '%s', NULL, 'storm')",
                 rand_r(&seed) % 12 + 1, states[rand_r(&seed) % 4]);
        PGresult *res = PQexec(pg, sql);
        if (PQresultStatus(res) != PGRES_TUPLES_OK)
            _exit(1);
        PQclear(res);
    }
    _exit(0);
}

Test(under_load, a_storm_of_presence_leaves_no_ticket_behind)
{
    enum { STORMS = 2 };
    pid_t child[STORMS];
    int status, left = STORMS;
    free(world_sql(&w, "UPDATE expert_load SET capacity = 60"));
    add_tickets(&w, 150, "(ARRAY['tv','internet','phone'])[1 + i % 3]", "'28013'");
    for (int i = 0; i < STORMS; i++)
        if ((child[i] = fork()) == 0)
            change_presence((unsigned)i + 1);
    place_all_new();
    while (left) {
        wake_and_place(&d);
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0) {
            left--;
            cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a change was refused");
        }
    }
    free(world_sql(&w, "SELECT expert_status_set(id, 'available', NULL, 'test') FROM expert"));
    for (int i = 0; i < 20; i++)
        wake_and_place(&d);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state <> 'assigned'"), 0);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch"), 150);
    expect_sound(&w);
}

/* Customers, managers and experts at the newest tickets, seen or not. */
static void change_tickets(unsigned seed)
{
    static const char *const changes[] = {
        "squad.ticket_amend(1, t.id, NULL, jsonb_build_object('problem', random()::text), 'x')",
        "squad.ticket_amend(1, t.id, NULL, jsonb_build_object('problem', random()::text), 'x')",
        "squad.ticket_prioritize(t.id, 1, NULL, 'x', 'boss')",
        "squad.ticket_cancel(t.id, NULL, 'x')",
        "squad.ticket_reassign(t.id, NULL, 'x', false, 'boss')",
        "squad.assignment a, squad.offer_decline(a.id, NULL, 'busy', 'x') WHERE a.ticket_id = "
        "t.id AND a.ended_at IS NULL",
    };
    enum { CHANGES = sizeof changes / sizeof *changes };
    PGconn *pg = PQconnectdb(w.conninfo);
    for (int i = 0; i < 300; i++) {
        char sql[400];
        snprintf(sql, sizeof sql,
                 "SELECT FROM (SELECT id FROM squad.ticket ORDER BY id DESC OFFSET %d LIMIT 1) AS "
                 "t, %s",
                 rand_r(&seed) % 8, changes[rand_r(&seed) % CHANGES]);
        const char *state = world_sqlstate(pg, sql);
        if (*state && strcmp(state, "40001") != 0) { /* decided at this moment: asked again */
            fprintf(stderr, "%s: %s\n", state, sql);
            _exit(1);
        }
    }
    _exit(0);
}

Test(under_load, changes_of_tickets_that_are_just_decided_meet_no_deadlock)
{
    enum { PEOPLE = 3 };
    int status, left = PEOPLE;
    free(world_sql(&w, "UPDATE expert_load SET capacity = 1000"));
    wake_and_place(&d);
    add_tickets(&w, 10, "'tv'", "'28013'");
    for (int i = 0; i < PEOPLE; i++)
        if (fork() == 0)
            change_tickets((unsigned)i + 1);
    while (left) {
        add_tickets(&w, 4, "'tv'", "'28013'");
        place_all_new();
        wake_and_place(&d);
        if (waitpid(-1, &status, WNOHANG) <= 0)
            continue;
        left--;
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a change was refused");
    }
    free(world_sql(&w, "SELECT pg_stat_clear_snapshot()"));
    cr_expect_eq(world_sql_long(&w, "SELECT deadlocks FROM pg_stat_database WHERE datname = "
                                    "current_database()"),
                 0);
    expect_sound(&w);
}

/* Holds everything that a batch holds, says so, and waits to be killed. */
static void hold_all(int tell)
{
    struct desk mine;
    open_desk(&mine, &w);
    PGresult *res = PQexec(pg_conn(mine.pg),
                           "BEGIN; SELECT pg_advisory_xact_lock(1, id) FROM (SELECT id FROM expert "
                           "ORDER BY id OFFSET 0) AS e; "
                           "SELECT * FROM experts_hold(ARRAY(SELECT id FROM expert))");
    if (PQresultStatus(res) != PGRES_TUPLES_OK || write(tell, "x", 1) != 1)
        _exit(1);
    pause();
    _exit(1);
}

Test(under_load, an_assigner_killed_with_all_locks_held_stops_nobody)
{
    int told[2];
    char byte;
    cr_assert_eq(pipe(told), 0);
    add_tickets(&w, 12, "'tv'", "'28013'");
    pid_t holder = fork();
    if (!holder)
        hold_all(told[1]);
    cr_assert_eq(read(told[0], &byte, 1), 1);
    pid_t killer = fork();
    if (!killer) {
        usleep(300000);
        kill(holder, SIGKILL);
        _exit(0);
    }
    int64_t start_us = wall_us();
    place_all_new();
    cr_expect_lt(wall_us() - start_us, 3000000, "took %ld ms", (long)(wall_us() - start_us) / 1000);
    waitpid(holder, NULL, 0);
    waitpid(killer, NULL, 0);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'assigned'"), 12);
    expect_sound(&w);
}

static long rss_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * 4;
}

Test(under_load, a_roster_of_a_hundred_thousand_is_reloaded_while_it_works)
{
    enum { MANY = 100000 };
#ifdef __SANITIZE_ADDRESS__
    static const long kib_max = 512 * 1024; /* it keeps what is freed */
#else
    static const long kib_max = 32 * 1024 + MANY / 8;
#endif
    struct err err = {0};
    free(world_sql(&w,
                   "SET session_replication_role = replica;"
                   "INSERT INTO expert (id, name) SELECT i, 'E' || i FROM generate_series(101, 100 "
                   "+ %1$d) AS i;"
                   "INSERT INTO expert_skill SELECT i, 'tv', 3 FROM generate_series(101, 100 + "
                   "%1$d) AS i;"
                   "INSERT INTO expert_area SELECT i, '28' FROM generate_series(101, 100 + %1$d) "
                   "AS i;"
                   "INSERT INTO expert_load (expert_id, capacity) SELECT i, 2 FROM "
                   "generate_series(101, 100 + %1$d) AS i;"
                   "RESET session_replication_role; ANALYZE expert, expert_load",
                   MANY));
    long before_kib = rss_kib();
    cr_assert_eq(roster_load(d.pg, &d.roster, &d.snapshot, NULL, &err), 0, "%s", err.text);
    long grown_kib = rss_kib() - before_kib;
    cr_expect_eq(d.roster.n, MANY + 12);
    cr_expect_lt(grown_kib, kib_max, "%ld KiB for the roster", grown_kib);
    for (int round = 0; round < 2; round++) {
        add_tickets(&w, 100, "'tv'", "'28013'");
        free(world_sql(&w, "DELETE FROM expert WHERE id = %d", 200 + round));
        free(world_sql(&w, "UPDATE expert_skill SET level = 4 WHERE expert_id BETWEEN %d AND %d",
                       300 * (round + 1), 300 * (round + 1) + 100));
        place_all_new();
        cr_assert_eq(roster_load(d.pg, &d.roster, &d.snapshot, NULL, &err), 0, "%s", err.text);
        cr_expect_null(roster_find(&d.roster, 200 + round));
    }
    for (int i = 0; i < 10; i++)
        wake_and_place(&d);
    cr_expect_eq(d.roster.n, MANY + 12 - 2);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM dispatch WHERE state = 'assigned'"), 200);
    expect_sound(&w);
}
