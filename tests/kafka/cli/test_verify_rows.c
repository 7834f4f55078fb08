/* What squad verify says of rows that contradict each other. */
#include "scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(verify_rows, a_ticket_without_event_is_lost)
{
    struct scene s;
    scene_make(&s);
    scene_spoil(&s, "DELETE FROM outbox WHERE seq = (SELECT min(seq) FROM outbox WHERE type = "
                    "'squad.ticket.created.v1')");
    plant_publish(&s.w, "true");
    scene_expect(&s, "", "lost", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, an_event_without_ticket_is_phantom)
{
    struct scene s;
    scene_make(&s);
    free(world_sql(&s.w, "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES "
                         "('ticket', gen_random_uuid()::text, 'squad.ticket.created.v1', '{}')"));
    plant_publish(&s.w, "true");
    scene_expect(&s, "", "phantom", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, an_effect_without_cause_is_phantom)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    free(world_sql(&s.w, "INSERT INTO inbox VALUES ('assigner', (SELECT min(id::text)::uuid FROM "
                         "outbox)), ('assigner', gen_random_uuid())"));
    scene_expect(&s, "", "phantom", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, two_tickets_of_one_key_are_duplicated)
{
    struct scene s;
    scene_make(&s);
    free(world_sql(&s.w, "ALTER TABLE ticket DROP CONSTRAINT ticket_key"));
    scene_spoil(&s, "UPDATE ticket SET key_hash = sha256('same')::bytea WHERE false");
    scene_spoil(&s, "UPDATE ticket SET key_hash = (SELECT key_hash FROM ticket LIMIT 1)");
    plant_publish(&s.w, "true");
    scene_expect(&s, "", "duplicated", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, a_second_live_assignment_is_found)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    free(world_sql(&s.w, "DROP INDEX assignment_one_live"));
    scene_spoil(
        &s, "INSERT INTO assignment (ticket_id, expert_id, attempt, state, expert_version, why, "
            "offered_at, expires_at) SELECT ticket_id, 10, 2, 'offered', (SELECT version FROM "
            "expert WHERE id = 10), '{}', now(), now() FROM assignment WHERE expert_id = 1;"
            "INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, state, "
            "attempts, ended_at) SELECT id, ticket_id, 10, 'webhook', 'offer', 'delivered', 1, "
            "now() FROM assignment WHERE expert_id = 10;"
            "UPDATE expert_load SET load = 1 WHERE expert_id = 10");
    scene_expect(&s, "", "double_assigned", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, a_wrong_count_of_slots_is_found)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    scene_spoil(&s, "UPDATE expert_load SET load = load + 1 WHERE expert_id = 1");
    scene_expect(&s, "", "overloaded", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, an_expert_without_the_skill_is_found_while_unchanged)
{
    struct scene s;
    scene_make(&s);
    scene_spoil(&s, "UPDATE expert_skill SET level = 1 WHERE expert_id = 1 AND skill = 'tv'");
    plant_publish(&s.w, "true");
    scene_expect(&s, "", "wrong_expert", 1, "", 0);
    /* Changed by the rules, the expert has a new version, and was right at the time. */
    free(world_sql(&s.w, "UPDATE expert_skill SET level = 1 WHERE expert_id = 1 AND skill = 'tv'"));
    plant_publish(&s.w, "seq = (SELECT max(seq) FROM outbox)");
    scene_clean(&s, "");
    world_drop(&s.w);
}

Test(verify_rows, an_expert_of_another_area_is_found)
{
    struct scene s;
    scene_make(&s);
    scene_spoil(&s, "DELETE FROM expert_area WHERE expert_id = 2");
    plant_publish(&s.w, "true");
    scene_expect(&s, "", "wrong_expert", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, an_assignment_without_notice_is_unnotified)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    scene_spoil(&s, "DELETE FROM notice WHERE expert_id = 1");
    scene_expect(&s, "", "unnotified", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, a_notice_overdue_is_unnotified_after_the_grace)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    scene_spoil(&s,
                "UPDATE assignment SET state = 'reserved', offered_at = NULL WHERE expert_id = 1;"
                "UPDATE notice SET state = 'pending', attempts = 0, ended_at = NULL, "
                "next_attempt_at = now() - interval '20 s' WHERE expert_id = 1");
    scene_clean(&s, "--grace 30");
    scene_expect(&s, "--grace 10", "unnotified", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, a_ticket_that_nobody_has_seen_is_stuck_after_the_grace)
{
    struct scene s;
    struct planted p;
    scene_make(&s);
    plant_received(&s.w, &p);
    plant_publish(&s.w, "true");
    scene_clean(&s, "");
    scene_spoil(&s, "UPDATE ticket SET created_at = created_at - interval '1 min' WHERE id NOT IN "
                    "(SELECT ticket_id FROM dispatch)");
    scene_expect(&s, "", "stuck", 1, "", 0);
    world_drop(&s.w);
}

Test(verify_rows, a_parked_ticket_that_an_expert_could_take_is_stuck)
{
    struct scene s;
    struct planted p;
    scene_make(&s);
    plant_received(&s.w, &p);
    free(world_sql(&s.w,
                   "INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at, "
                   "since, parked) SELECT id, 'parked', type, area, 3, created_at, now() - "
                   "interval '5 min', '{\"experts\":12,\"capacity\":12}' FROM ticket WHERE id = "
                   "'%s'",
                   p.id));
    plant_publish(&s.w, "true");
    scene_clean(&s, "");
    scene_spoil(&s, "UPDATE expert_load SET idle_since = now() - interval '1 h'; UPDATE expert SET "
                    "changed_at = now() - interval '1 h'");
    scene_expect(&s, "", "stuck", 1, "", 0);
    scene_spoil(&s, "UPDATE expert SET active = false WHERE id NOT IN (1, 2, 12)");
    scene_spoil(&s, "UPDATE expert_load SET capacity = load WHERE expert_id IN (1, 2, 12)");
    scene_clean(&s, "");
    world_drop(&s.w);
}

Test(verify_rows, rows_that_contradict_each_other_are_stuck)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    scene_spoil(&s,
                "UPDATE dispatch SET state = 'completed' WHERE ticket_id = (SELECT ticket_id FROM "
                "assignment WHERE expert_id = 1)");
    scene_expect(&s, "", "stuck", 1, "", 0);
    world_drop(&s.w);
}
