#include "state.h"
#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Schemas that are ours; extensions and partitions' constraint indexes are not. */
static const char uncommented[] =
    "WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('squad', 'rpt')) "
    "SELECT string_agg(what, E'\\n' ORDER BY what) FROM ("
    "SELECT 'schema ' || nspname FROM ours WHERE obj_description(oid, 'pg_namespace') IS NULL "
    "UNION ALL "
    "SELECT 'relation ' || c.oid::regclass FROM pg_class c JOIN ours ON ours.oid = relnamespace "
    " WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND obj_description(c.oid, 'pg_class') IS NULL "
    "UNION ALL "
    "SELECT 'column ' || c.oid::regclass || '.' || attname FROM pg_class c "
    "  JOIN ours ON ours.oid = relnamespace JOIN pg_attribute a ON attrelid = c.oid "
    " WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition AND attnum > 0 "
    "   AND NOT attisdropped AND col_description(c.oid, attnum) IS NULL "
    "UNION ALL "
    "SELECT 'index ' || c.oid::regclass FROM pg_class c JOIN ours ON ours.oid = relnamespace "
    " WHERE relkind IN ('i', 'I') AND NOT relispartition "
    "   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid) "
    "   AND obj_description(c.oid, 'pg_class') IS NULL "
    "UNION ALL "
    "SELECT 'function ' || p.oid::regprocedure FROM pg_proc p JOIN ours ON ours.oid = pronamespace "
    " WHERE obj_description(p.oid, 'pg_proc') IS NULL "
    "UNION ALL "
    "SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_trigger t "
    "  JOIN pg_class c ON c.oid = tgrelid JOIN ours ON ours.oid = relnamespace "
    " WHERE NOT tgisinternal AND tgparentid = 0 AND obj_description(t.oid, 'pg_trigger') IS NULL"
    ") AS bare (what)";

Test(schema, everything_has_a_comment)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    char *bare = world_sql(&w, "%s", uncommented);
    cr_expect_null(bare, "without COMMENT ON:\n%s", bare);
    free(bare);
    world_drop(&w);
}

Test(schema, a_missing_comment_would_be_found)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    world_sql(&w, "CREATE TABLE squad.bare (x integer); CREATE INDEX bare_x ON squad.bare (x);"
                  "COMMENT ON FUNCTION squad.refuse_change() IS NULL;"
                  "COMMENT ON TRIGGER outbox_insert_only ON squad.outbox IS NULL");
    char *bare = world_sql(&w, "%s", uncommented);
    cr_assert_not_null(bare);
    cr_expect_str_eq(bare, "column bare.x\nfunction refuse_change()\nindex bare_x\nrelation bare\n"
                           "trigger outbox_insert_only on outbox");
    free(bare);
    world_drop(&w);
}

Test(schema, states_are_those_of_the_program)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM state"), (long)state_count);
    for (size_t i = 0; i < state_count; i++)
        cr_expect_eq(world_sql_long(&w,
                                    "SELECT count(*) FROM state WHERE entity = '%s' AND state = "
                                    "'%s' AND live = %s",
                                    state_entity_name(state_table[i].entity), state_table[i].name,
                                    state_table[i].live ? "true" : "false"),
                     1, "%s", state_table[i].name);
    world_drop(&w);
}

Test(schema, transitions_are_those_of_the_program)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM transition"), (long)transition_count);
    for (size_t i = 0; i < transition_count; i++) {
        const struct transition *t = &transition_table[i];
        cr_expect_eq(world_sql_long(&w,
                                    "SELECT count(*) FROM transition WHERE entity = '%s' AND "
                                    "from_state = '%s' AND to_state = '%s'",
                                    state_entity_name(t->entity), t->from, t->to),
                     1, "%s %s", t->from, t->to);
    }
    world_drop(&w);
}

/* What a role may do and what not: SQLSTATE expected, "" for success, "42501" for not allowed. */
static const struct grant {
    const char *role, *sql, *state;
} grants[] = {
    {"squad_intake", "SELECT squad.schema_version()", ""},
    {"squad_intake", "SELECT key_hash FROM squad.client", ""},
    {"squad_intake",
     "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES ('ticket', 'x', "
     "'t', '{}')",
     ""},
    {"squad_intake", "SELECT * FROM squad.assignment_complete(gen_random_uuid(), 'me')", ""},
    {"squad_intake", "UPDATE squad.ticket SET area = 'X'", "42501"},
    {"squad_intake", "DELETE FROM squad.ticket", "42501"},
    {"squad_intake", "UPDATE squad.outbox SET type = 'x'", "42501"},
    {"squad_intake", "SELECT * FROM squad.expert_contact", "42501"},
    {"squad_intake", "UPDATE squad.assignment SET state = 'completed'", "42501"},
    {"squad_intake", "UPDATE squad.dispatch SET state = 'completed'", "42501"},
    {"squad_intake", "SELECT squad.register_migration(99, 'x')", "42501"},
    {"squad_relay", "SELECT * FROM squad.outbox", ""},
    {"squad_relay", "SELECT squad.outbox_extend(1)", ""},
    {"squad_relay", "SELECT squad.outbox_first(pg_current_snapshot())", ""},
    {"squad_relay", "SELECT * FROM squad.relay_progress", ""},
    {"squad_relay", "UPDATE squad.outbox SET type = 'x'", "42501"},
    {"squad_relay", "DELETE FROM squad.outbox", "42501"},
    {"squad_relay",
     "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES ('ticket', 'x', "
     "'t', '{}')",
     "42501"},
    {"squad_relay", "SELECT * FROM squad.ticket", "42501"},
    {"squad_assigner", "SELECT id, ref, type, area FROM squad.ticket", ""},
    {"squad_assigner", "UPDATE squad.expert_load SET load = load WHERE false", ""},
    {"squad_assigner", "INSERT INTO squad.inbox VALUES ('assigner', gen_random_uuid())", ""},
    {"squad_assigner", "SELECT customer_phone FROM squad.ticket", "42501"},
    {"squad_assigner", "UPDATE squad.expert_load SET capacity = 9", "42501"},
    {"squad_assigner", "UPDATE squad.expert SET active = true", "42501"},
    {"squad_assigner", "UPDATE squad.assignment SET state = 'accepted'", "42501"},
    {"squad_assigner", "INSERT INTO squad.assignment (override) VALUES ('{skill}')", "42501"},
    {"squad_assigner", "INSERT INTO squad.assignment (state) VALUES ('accepted')", "42501"},
    {"squad_assigner", "UPDATE squad.notice SET state = 'delivered'", "42501"},
    {"squad_assigner", "SELECT secret FROM squad.expert_contact", "42501"},
    {"squad_notifier", "SELECT address, secret FROM squad.expert_contact", ""},
    {"squad_notifier", "UPDATE squad.notice SET attempts = attempts WHERE false", ""},
    {"squad_notifier", "SELECT * FROM squad.notice_finish('{}', '{}', '{}', '{}', '{}', 'me')", ""},
    {"squad_notifier", "UPDATE squad.assignment SET state = 'offered'", "42501"},
    {"squad_notifier", "UPDATE squad.expert_load SET load = 0", "42501"},
    {"squad_notifier", "INSERT INTO squad.ticket (id) VALUES (gen_random_uuid())", "42501"},
    {"squad_report", "SELECT * FROM squad.ticket", "42501"},
    {"squad_report", "SELECT * FROM squad.expert_contact", "42501"},
};

Test(schema, each_role_may_do_its_own_and_nothing_else)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
        world_sql(&w, "BEGIN; SET LOCAL ROLE %s", grants[i].role);
        const char *state = world_sqlstate(w.pg, grants[i].sql);
        cr_expect_str_eq(state, grants[i].state, "%s: %s gives \"%s\"", grants[i].role,
                         grants[i].sql, state);
        world_sql(&w, "ROLLBACK");
    }
    world_drop(&w);
}
