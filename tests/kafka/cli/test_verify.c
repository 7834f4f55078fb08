#include "plant.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Three tickets of one expert each, everything published by publish(); then verify must say ok. */
struct scene {
    struct world w;
    struct planted t[3];
};

static void scene_make(struct scene *s)
{
    world_make(&s->w, WORLD_MIGRATED | WORLD_TOPICS | WORLD_SEEDED);
    plant_ticket(&s->w, 1, false, &s->t[0]);
    plant_ticket(&s->w, 2, false, &s->t[1]);
    plant_ticket(&s->w, 12, true, &s->t[2]);
}

struct verdict {
    int code;
    json_t *facts;
    char *err;
};

static struct verdict verify(struct scene *s, const char *args)
{
    struct ran r = world_squad(&s->w, "", "verify --json %s", args);
    struct verdict v = {.code = r.code, .facts = json_loads(r.out, 0, NULL), .err = r.err};
    cr_assert_not_null(v.facts, "exit %d\n%s\n%s", r.code, r.out, r.err);
    free(r.out);
    return v;
}

static long fact(const struct verdict *v, const char *name)
{
    json_t *value = json_object_get(v->facts, name);
    cr_assert(json_is_integer(value), "%s is missing", name);
    return (long)json_integer_value(value);
}

static void verdict_free(struct verdict *v)
{
    json_decref(v->facts);
    free(v->err);
}

static const char *const checks[] = {"lost",         "duplicated",      "reordered",
                                     "phantom",      "double_assigned", "overloaded",
                                     "wrong_expert", "unnotified",      "stuck"};

/* Exactly these checks found exactly so much; "" ends the list. */
static void expect(struct scene *s, const char *args, const char *what, long n, const char *what2,
                   long n2)
{
    struct verdict v = verify(s, args);
    bool ok = !n && !n2;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        long wanted = strcmp(checks[i], what) == 0 ? n : strcmp(checks[i], what2) == 0 ? n2 : 0;
        cr_expect_eq(fact(&v, checks[i]), wanted, "%s is %ld, not %ld\n%s", checks[i],
                     fact(&v, checks[i]), wanted, v.err);
    }
    cr_expect_eq(v.code, ok ? 0 : 1, "exit %d\n%s", v.code, v.err);
    cr_expect_eq(json_is_true(json_object_get(v.facts, "ok")), ok);
    verdict_free(&v);
}

static void clean(struct scene *s, const char *args)
{
    expect(s, args, "", 0, "", 0);
}

/* With the triggers and foreign keys off, as nothing else can. */
static void spoil(struct scene *s, const char *sql)
{
    free(world_sql(&s->w, "SET session_replication_role = replica"));
    free(world_sql(&s->w, "%s", sql));
    free(world_sql(&s->w, "SET session_replication_role = origin"));
}

static long seq_of(struct scene *s, int ticket, const char *type)
{
    return world_sql_long(&s->w, "SELECT seq FROM outbox WHERE aggregateid = '%s' AND type = '%s'",
                          s->t[ticket].id, type);
}

Test(verify, clean_work_is_ok_and_counted)
{
    struct scene s;
    scene_make(&s);
    long rows = plant_publish(&s.w, "true");
    struct verdict v = verify(&s, "");
    cr_expect_eq(v.code, 0, "%s", v.err);
    cr_expect(json_is_true(json_object_get(v.facts, "ok")), "%s", v.err);
    cr_expect_eq(fact(&v, "tickets"), 3);
    cr_expect_eq(fact(&v, "outbox"), rows);
    cr_expect_eq(fact(&v, "kafka"), rows);
    cr_expect_eq(fact(&v, "assigned"), 3);
    cr_expect_eq(fact(&v, "parked"), 0);
    cr_expect_eq(fact(&v, "notified"), 3);
    static const char *const keys[] = {
        "tickets",         "outbox",     "kafka",        "assigned",   "parked",
        "notified",        "lost",       "duplicated",   "reordered",  "phantom",
        "double_assigned", "overloaded", "wrong_expert", "unnotified", "ok"};
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach(v.facts, key, value)
    {
        if (i < sizeof keys / sizeof *keys)
            cr_expect_str_eq(key, keys[i]);
        i++;
    }
    verdict_free(&v);
    world_drop(&s.w);
}

Test(verify, a_row_that_was_not_published_is_lost)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "type <> 'squad.ticket.completed.v1'");
    struct ran r = world_squad(&s.w, "", "verify");
    char *id = world_sql(&s.w, "SELECT id FROM outbox WHERE type = 'squad.ticket.completed.v1'");
    cr_expect_eq(r.code, 1);
    cr_expect(strstr(r.out, id), "the id %s is named in\n%s", id, r.out);
    free(id);
    ran_free(&r);
    expect(&s, "", "lost", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_second_record_is_duplicated)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    plant_publish(&s.w, "type = 'squad.ticket.completed.v1'");
    expect(&s, "", "duplicated", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, events_of_a_ticket_in_the_wrong_order_are_reordered)
{
    struct scene s;
    scene_make(&s);
    long first = seq_of(&s, 0, "squad.ticket.created.v1");
    char order[80];
    snprintf(order, sizeof order, "CASE WHEN seq = %ld THEN 1000000 ELSE seq END", first);
    plant_publish_in(&s.w, "true", order);
    expect(&s, "", "reordered", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, an_experts_events_of_two_kinds_may_pass_each_other)
{
    struct scene s;
    scene_make(&s);
    plant_publish_in(&s.w, "true", "aggregatetype, type DESC, seq");
    struct verdict v = verify(&s, "");
    cr_expect_neq(fact(&v, "reordered"), 0, "tickets' events by type are out of order");
    verdict_free(&v);
    world_drop(&s.w);
    scene_make(&s);
    plant_publish_in(&s.w, "true",
                     "CASE aggregatetype WHEN 'expert' THEN type END DESC NULLS LAST, seq");
    clean(&s, "");
    world_drop(&s.w);
}

Test(verify, a_record_that_no_row_explains_is_phantom)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    plant_record(&s.w, &(struct record){.topic = "tickets",
                                        .key = s.t[0].id,
                                        .id = "00000000-0000-4000-8000-000000000001",
                                        .type = "squad.ticket.created.v1",
                                        .payload = "{}"});
    plant_record(&s.w, &(struct record){.topic = "experts", .key = "1", .payload = "no headers"});
    expect(&s, "", "phantom", 2, "", 0);
    world_drop(&s.w);
}

Test(verify, another_payload_under_a_rows_id_is_phantom_and_the_row_lost)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "type <> 'squad.ticket.completed.v1'");
    char *id = world_sql(&s.w, "SELECT id FROM outbox WHERE type = 'squad.ticket.completed.v1'");
    plant_record(&s.w, &(struct record){.topic = "tickets",
                                        .key = s.t[2].id,
                                        .id = id,
                                        .type = "squad.ticket.completed.v1",
                                        .payload = "{\"ticket_id\":\"changed\"}"});
    free(id);
    expect(&s, "", "phantom", 1, "lost", 1);
    world_drop(&s.w);
}

Test(verify, a_row_on_the_wrong_topic_is_phantom_and_lost)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "type <> 'squad.notice.requested.v1' OR aggregateid IN (SELECT "
                        "ticket_id::text FROM assignment WHERE expert_id <> 1)");
    PGresult *r = PQexec(s.w.pg, "SELECT id, aggregateid, payload, traceparent FROM outbox WHERE "
                                 "type = 'squad.notice.requested.v1' AND aggregateid IN (SELECT "
                                 "ticket_id::text FROM assignment WHERE expert_id = 1)");
    cr_assert_eq(PQntuples(r), 1);
    plant_record(&s.w, &(struct record){.topic = "tickets",
                                        .key = PQgetvalue(r, 0, 1),
                                        .id = PQgetvalue(r, 0, 0),
                                        .type = "squad.notice.requested.v1",
                                        .payload = PQgetvalue(r, 0, 2),
                                        .traceparent = PQgetvalue(r, 0, 3)});
    PQclear(r);
    expect(&s, "", "phantom", 1, "lost", 1);
    world_drop(&s.w);
}

Test(verify, barriers_and_aborted_transactions_do_not_count)
{
    struct scene s;
    scene_make(&s);
    long rows = plant_publish(&s.w, "true");
    plant_record(&s.w, &(struct record){.topic = "tickets", .type = "squad.relay.barrier.v1"});
    plant_aborted(&s.w, &(struct record){.topic = "tickets",
                                         .key = s.t[0].id,
                                         .id = "00000000-0000-4000-8000-000000000002",
                                         .type = "x",
                                         .payload = "{}"});
    struct verdict v = verify(&s, "");
    cr_expect_eq(v.code, 0, "%s", v.err);
    cr_expect_eq(fact(&v, "kafka"), rows);
    verdict_free(&v);
    world_drop(&s.w);
}

Test(verify, a_dead_letter_is_published_and_counted)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "type <> 'squad.ticket.completed.v1'");
    char *id = world_sql(&s.w, "SELECT id FROM outbox WHERE type = 'squad.ticket.completed.v1'");
    plant_record(&s.w, &(struct record){.topic = "dead", .key = "x", .id = id, .payload = "why"});
    struct verdict v = verify(&s, "");
    cr_expect_eq(v.code, 0, "%s", v.err);
    cr_expect_eq(fact(&v, "dead"), 1);
    free(id);
    verdict_free(&v);
    world_drop(&s.w);
}

Test(verify, a_ticket_without_event_is_lost)
{
    struct scene s;
    scene_make(&s);
    spoil(&s, "DELETE FROM outbox WHERE seq = (SELECT min(seq) FROM outbox WHERE type = "
              "'squad.ticket.created.v1')");
    plant_publish(&s.w, "true");
    expect(&s, "", "lost", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, an_event_without_ticket_is_phantom)
{
    struct scene s;
    scene_make(&s);
    free(world_sql(&s.w, "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES "
                         "('ticket', gen_random_uuid()::text, 'squad.ticket.created.v1', '{}')"));
    plant_publish(&s.w, "true");
    expect(&s, "", "phantom", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, an_effect_without_cause_is_phantom)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    free(world_sql(&s.w, "INSERT INTO inbox VALUES ('assigner', (SELECT min(id::text)::uuid FROM "
                         "outbox)), ('assigner', gen_random_uuid())"));
    expect(&s, "", "phantom", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, two_tickets_of_one_key_are_duplicated)
{
    struct scene s;
    scene_make(&s);
    free(world_sql(&s.w, "ALTER TABLE ticket DROP CONSTRAINT ticket_key"));
    spoil(&s, "UPDATE ticket SET key_hash = sha256('same')::bytea WHERE false");
    spoil(&s, "UPDATE ticket SET key_hash = (SELECT key_hash FROM ticket LIMIT 1)");
    plant_publish(&s.w, "true");
    expect(&s, "", "duplicated", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_second_live_assignment_is_found)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    free(world_sql(&s.w, "DROP INDEX assignment_one_live"));
    spoil(&s, "INSERT INTO assignment (ticket_id, expert_id, attempt, state, expert_version, why, "
              "offered_at, expires_at) SELECT ticket_id, 10, 2, 'offered', (SELECT version FROM "
              "expert WHERE id = 10), '{}', now(), now() FROM assignment WHERE expert_id = 1;"
              "INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, state, "
              "attempts, ended_at) SELECT id, ticket_id, 10, 'webhook', 'offer', 'delivered', 1, "
              "now() FROM assignment WHERE expert_id = 10;"
              "UPDATE expert_load SET load = 1 WHERE expert_id = 10");
    expect(&s, "", "double_assigned", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_wrong_count_of_slots_is_found)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    spoil(&s, "UPDATE expert_load SET load = load + 1 WHERE expert_id = 1");
    expect(&s, "", "overloaded", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, an_expert_without_the_skill_is_found_while_unchanged)
{
    struct scene s;
    scene_make(&s);
    spoil(&s, "UPDATE expert_skill SET level = 1 WHERE expert_id = 1 AND skill = 'tv'");
    plant_publish(&s.w, "true");
    expect(&s, "", "wrong_expert", 1, "", 0);
    /* Changed by the rules, the expert has a new version, and was right at the time. */
    free(world_sql(&s.w, "UPDATE expert_skill SET level = 1 WHERE expert_id = 1 AND skill = 'tv'"));
    plant_publish(&s.w, "seq = (SELECT max(seq) FROM outbox)");
    clean(&s, "");
    world_drop(&s.w);
}

Test(verify, an_expert_of_another_area_is_found)
{
    struct scene s;
    scene_make(&s);
    spoil(&s, "DELETE FROM expert_area WHERE expert_id = 2");
    plant_publish(&s.w, "true");
    expect(&s, "", "wrong_expert", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, an_assignment_without_notice_is_unnotified)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    spoil(&s, "DELETE FROM notice WHERE expert_id = 1");
    expect(&s, "", "unnotified", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_notice_overdue_is_unnotified_after_the_grace)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    spoil(&s, "UPDATE assignment SET state = 'reserved', offered_at = NULL WHERE expert_id = 1;"
              "UPDATE notice SET state = 'pending', attempts = 0, ended_at = NULL, "
              "next_attempt_at = now() - interval '20 s' WHERE expert_id = 1");
    clean(&s, "--grace 30");
    expect(&s, "--grace 10", "unnotified", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_ticket_that_nobody_has_seen_is_stuck_after_the_grace)
{
    struct scene s;
    struct planted p;
    scene_make(&s);
    plant_received(&s.w, &p);
    plant_publish(&s.w, "true");
    clean(&s, "");
    spoil(&s, "UPDATE ticket SET created_at = created_at - interval '1 min' WHERE id NOT IN "
              "(SELECT ticket_id FROM dispatch)");
    expect(&s, "", "stuck", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_parked_ticket_that_an_expert_could_take_is_stuck)
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
    clean(&s, "");
    spoil(&s, "UPDATE expert_load SET idle_since = now() - interval '1 h'; UPDATE expert SET "
              "changed_at = now() - interval '1 h'");
    expect(&s, "", "stuck", 1, "", 0);
    spoil(&s, "UPDATE expert SET active = false WHERE id NOT IN (1, 2, 12)");
    spoil(&s, "UPDATE expert_load SET capacity = load WHERE expert_id IN (1, 2, 12)");
    clean(&s, "");
    world_drop(&s.w);
}

Test(verify, rows_that_contradict_each_other_are_stuck)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    spoil(&s, "UPDATE dispatch SET state = 'completed' WHERE ticket_id = (SELECT ticket_id FROM "
              "assignment WHERE expert_id = 1)");
    expect(&s, "", "stuck", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, each_acknowledged_reference_must_exist)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    char path[] = "/tmp/squad-acks-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    dprintf(fd, "%s\n%s\n\n%s\n", s.t[0].ref, s.t[1].ref, s.t[2].ref);
    char args[128];
    snprintf(args, sizeof args, "--acks %s", path);
    clean(&s, args);
    uint8_t other[16];
    char ref[TICKET_REF_LEN + 1];
    uuid7_make(other);
    ticket_ref_make(other, ref);
    dprintf(fd, "%s\nnonsense\n", ref);
    struct verdict v = verify(&s, args);
    cr_expect_eq(v.code, 1);
    cr_expect_eq(fact(&v, "lost"), 2);
    cr_expect_eq(fact(&v, "acks"), 5);
    cr_expect_eq(fact(&v, "missing_acks"), 2);
    cr_expect(strstr(v.err, ref), "%s is named in %s", ref, v.err);
    verdict_free(&v);
    close(fd);
    unlink(path);
    world_drop(&s.w);
}

Test(verify, waiting_in_vain_is_not_ok)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    struct verdict v = verify(&s, "--wait 1");
    cr_expect_eq(v.code, 1, "no relay and no group has ever run");
    cr_expect(strstr(v.err, "did not drain within 1 s"), "%s", v.err);
    verdict_free(&v);
    world_drop(&s.w);
}

/* A writer that commits a row and publishes it at once, as fast as it can. */
static void write_and_publish(struct world *from, int stop_fd)
{
    struct world w = *from;
    w.pg = PQconnectdb(w.conninfo);
    PQclear(PQexec(w.pg, "SET search_path = squad"));
    char byte;
    long last = world_sql_long(&w, "SELECT max(seq) FROM outbox");
    while (read(stop_fd, &byte, 1) < 0) {
        struct planted p;
        char where[64];
        plant_received(&w, &p);
        plant_received(&w, &p);
        snprintf(where, sizeof where, "seq > %ld", last);
        plant_publish(&w, where);
        last = world_sql_long(&w, "SELECT max(seq) FROM outbox");
    }
    _exit(0);
}

Test(verify, finds_nothing_false_while_tickets_flow)
{
    struct scene s;
    int fds[2];
    scene_make(&s);
    plant_publish(&s.w, "true");
    cr_assert_eq(pipe2(fds, 04000 /* O_NONBLOCK */), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[1]);
        write_and_publish(&s.w, fds[0]);
    }
    for (int i = 0; i < 5; i++)
        clean(&s, "");
    close(fds[1]);
    close(fds[0]);
    int status;
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_gt(world_sql_long(&s.w, "SELECT count(*) FROM ticket"), 10);
    clean(&s, "");
    world_drop(&s.w);
}
