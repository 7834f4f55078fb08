#include "desk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world w;
struct desk d;

void desk_set_up(void)
{
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    open_desk(&d, &w);
}

void desk_tear_down(void)
{
    close_desk(&d);
    world_drop(&w);
}

void open_desk(struct desk *desk, const struct world *world)
{
    struct err err;
    char conninfo[600];
    snprintf(conninfo, sizeof conninfo, "%s user=squad_assigner", world->conninfo);
    struct pg_options o = {.conninfo = conninfo,
                           .program = "assigner",
                           .stmts = assigner_stmts,
                           .n_stmts = assigner_stmts_count,
                           .lock_timeout_ms = PLACE_LOCK_TIMEOUT_MS};
    *desk = (struct desk){0};
    cr_assert_eq(pg_open(&desk->pg, &o, &err), 0, "%s", err.text);
    cr_assert_eq(roster_load(desk->pg, &desk->roster, &desk->snapshot, NULL, &err), 0, "%s",
                 err.text);
    desk->placer =
        (struct placer){.pg = desk->pg, .roster = &desk->roster, .actor = "assigner/test"};
    desk->sweep = (struct sweep){.pg = desk->pg, .actor = "assigner/test"};
    for (size_t i = 0; i < desk->roster.n; i++) /* nothing waits yet */
        roster_wake(&desk->roster, &desk->roster.experts[i], false);
}

void close_desk(struct desk *desk)
{
    pg_close(desk->pg);
    placer_free(&desk->placer);
    roster_free(&desk->roster);
    batch_free(&desk->batch);
    free(desk->snapshot);
}

void add_tickets(struct world *world, int n, const char *type, const char *area)
{
    free(world_sql(
        world,
        "WITH made AS (INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, "
        "area, problem) "
        "SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || "
        "substr(h, 13))::uuid, upper(substr(h, 1, 5) || '-' || substr(h, 6, 5)), 1, "
        "substr(sha256(h::bytea), 1, 16), sha256(h::bytea), 'web', %s, %s, 'x' "
        "FROM (SELECT i, md5(random()::text || i) AS h FROM generate_series(1, %d) i) s RETURNING "
        "id) "
        "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) SELECT 'ticket', id::text, "
        "'squad.ticket.created.v1', '{}' FROM made",
        type, area, n));
}

void sweep_and_place(struct desk *desk)
{
    struct err err = {0};
    memset(desk->sweep.missing_behind, 0, 16);
    cr_assert_eq(sweep_missing(&desk->sweep, -1000, &desk->batch, &err), 0, "%s", err.text);
    cr_assert_eq(place(&desk->placer, &desk->batch, &err), 0, "%s", err.text);
    batch_clear(&desk->batch);
}

void wake_and_place(struct desk *desk)
{
    struct err err = {0};
    cr_assert_eq(roster_refresh(desk->pg, &desk->roster, &desk->snapshot, NULL, &err), 0, "%s",
                 err.text);
    cr_assert_eq(sweep_woken(&desk->sweep, &desk->roster, &desk->batch, &err), 0, "%s", err.text);
    cr_assert_eq(place(&desk->placer, &desk->batch, &err), 0, "%s", err.text);
    sweep_again(&desk->sweep, &desk->roster);
    batch_clear(&desk->batch);
}

void complete(struct world *world, const char *where)
{
    free(world_sql(
        world, "SELECT (assignment_complete(id, 'test')).outcome FROM assignment WHERE %s", where));
}

void expect_sound(struct world *world)
{
    char *audit = world_sql(
        world, "SELECT string_agg(concat_ws(' ', check_name, id, what), '; ') FROM rpt.audit");
    cr_expect_null(audit, "%s", audit);
    free(audit);
    cr_expect_eq(
        world_sql_long(world, "SELECT count(*) FROM expert_load l WHERE load > capacity OR load <> "
                              "(SELECT count(*) FROM assignment a WHERE a.expert_id = l.expert_id "
                              "AND a.ended_at IS NULL)"),
        0);
    cr_expect_eq(world_sql_long(world,
                                "SELECT count(*) FROM (SELECT ticket_id FROM assignment WHERE "
                                "ended_at IS NULL GROUP BY 1 HAVING count(*) > 1) x"),
                 0);
}
