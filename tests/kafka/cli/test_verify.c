/* What squad verify says of events: rows against records, and against what was acknowledged. */
#include "scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    struct verdict v = scene_verify(&s, "");
    cr_expect_eq(v.code, 0, "%s", v.err);
    cr_expect(json_is_true(json_object_get(v.facts, "ok")), "%s", v.err);
    cr_expect_eq(verdict_fact(&v, "tickets"), 3);
    cr_expect_eq(verdict_fact(&v, "outbox"), rows);
    cr_expect_eq(verdict_fact(&v, "kafka"), rows);
    cr_expect_eq(verdict_fact(&v, "assigned"), 3);
    cr_expect_eq(verdict_fact(&v, "parked"), 0);
    cr_expect_eq(verdict_fact(&v, "notified"), 3);
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
    scene_expect(&s, "", "lost", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, a_second_record_is_duplicated)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    plant_publish(&s.w, "type = 'squad.ticket.completed.v1'");
    scene_expect(&s, "", "duplicated", 1, "", 0);
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
    scene_expect(&s, "", "reordered", 1, "", 0);
    world_drop(&s.w);
}

Test(verify, an_experts_events_of_two_kinds_may_pass_each_other)
{
    struct scene s;
    scene_make(&s);
    plant_publish_in(&s.w, "true", "aggregatetype, type DESC, seq");
    struct verdict v = scene_verify(&s, "");
    cr_expect_neq(verdict_fact(&v, "reordered"), 0, "tickets' events by type are out of order");
    verdict_free(&v);
    world_drop(&s.w);
    scene_make(&s);
    plant_publish_in(&s.w, "true",
                     "CASE aggregatetype WHEN 'expert' THEN type END DESC NULLS LAST, seq");
    scene_clean(&s, "");
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
    scene_expect(&s, "", "phantom", 2, "", 0);
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
    scene_expect(&s, "", "phantom", 1, "lost", 1);
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
    scene_expect(&s, "", "phantom", 1, "lost", 1);
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
    struct verdict v = scene_verify(&s, "");
    cr_expect_eq(v.code, 0, "%s", v.err);
    cr_expect_eq(verdict_fact(&v, "kafka"), rows);
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
    struct verdict v = scene_verify(&s, "");
    cr_expect_eq(v.code, 0, "%s", v.err);
    cr_expect_eq(verdict_fact(&v, "dead"), 1);
    free(id);
    verdict_free(&v);
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
    scene_clean(&s, args);
    uint8_t other[16];
    char ref[TICKET_REF_LEN + 1];
    uuid7_make(other);
    ticket_ref_make(other, ref);
    dprintf(fd, "%s\nnonsense\n%0500d\n", ref, 0); /* a long line is one, too */
    struct verdict v = scene_verify(&s, args);
    cr_expect_eq(v.code, 1);
    cr_expect_eq(verdict_fact(&v, "lost"), 3);
    cr_expect_eq(verdict_fact(&v, "acks"), 6);
    cr_expect_eq(verdict_fact(&v, "missing_acks"), 3);
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
    struct verdict v = scene_verify(&s, "--wait 1");
    cr_expect_eq(v.code, 1, "no relay and no group has ever run");
    cr_expect(strstr(v.err, "did not drain within 1 s"), "%s", v.err);
    cr_expect(json_is_false(json_object_get(v.facts, "drained")), "why it is not ok");
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
        scene_clean(&s, "--grace 600");
    close(fds[1]);
    close(fds[0]);
    int status;
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_gt(world_sql_long(&s.w, "SELECT count(*) FROM ticket"), 10);
    scene_clean(&s, "--grace 600");
    world_drop(&s.w);
}

/* Runs `what(pid)`, SQL, on verify's session once that has read the outbox and reads Kafka. True:
 * done. */
static bool while_it_reads_kafka(struct world *w, const char *what)
{
    char sql[256];
    bool done = false;
    PGconn *pg = PQconnectdb(w->conninfo);
    snprintf(sql, sizeof sql,
             "SELECT %s(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
             "application_name = 'squad' AND state = 'idle' AND query = 'COMMIT'",
             what);
    for (int tries = 0; tries < 3000 && !done; tries++, usleep(10000)) {
        PGresult *res = PQexec(pg, sql);
        done = PQntuples(res) == 1;
        PQclear(res);
    }
    PQfinish(pg);
    return done;
}

/* What was committed since the outbox was read, more than a piece of it, is neither phantom nor
 * lost. A row that is missing makes verify wait, so that it is committed in time. */
Test(verify, rows_committed_while_it_reads_are_all_known)
{
    struct scene s;
    int status;
    scene_make(&s);
    free(world_sql(&s.w, "BEGIN; INSERT INTO outbox (aggregatetype, aggregateid, type, payload) "
                         "SELECT 'ticket', 'k' || i %% 7, 'squad.test.v1', '{}' FROM "
                         "generate_series(1, 20500) i"));
    plant_publish(&s.w, "type <> 'squad.ticket.completed.v1'");
    pid_t child = fork();
    if (!child) {
        struct ran r = world_squad(&s.w, "", "verify --json");
        bool right = strstr(r.out, "\"lost\":1,") && strstr(r.out, "\"phantom\":0,");
        fprintf(stderr, "%s", right ? "" : r.out);
        _exit(!right);
    }
    cr_assert(while_it_reads_kafka(&s.w, "to_jsonb"));
    free(world_sql(&s.w, "COMMIT"));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    world_drop(&s.w);
}

/* Exit code 1 would say that something was found. */
Test(verify, a_session_lost_in_the_middle_is_no_finding)
{
    struct scene s;
    int status;
    scene_make(&s); /* nothing is published, so verify waits a while for it */
    pid_t child = fork();
    if (!child)
        _exit(!while_it_reads_kafka(&s.w, "pg_terminate_backend"));
    struct ran r = world_squad(&s.w, "", "verify --json");
    cr_expect_eq(r.code, 3, "exit %d\n%s%s", r.code, r.out, r.err);
    cr_expect_str_empty(r.out);
    ran_free(&r);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    world_drop(&s.w);
}

/* What can not be read must not count as a list of none. */
Test(verify, a_list_of_acknowledged_references_that_can_not_be_read_is_no_ok)
{
    struct scene s;
    scene_make(&s);
    plant_publish(&s.w, "true");
    static const char *const args[] = {"--acks /tmp", "--acks ''",
                                       "--acks /tmp/there-is-no-such-file"};
    for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
        struct ran r = world_squad(&s.w, "", "verify --json %s", args[i]);
        cr_expect_eq(r.code, 2, "%s: exit %d\n%s", args[i], r.code, r.out);
        cr_expect(strstr(r.err, "the file \""), "%s: %s", args[i], r.err);
        cr_expect_str_empty(r.out);
        ran_free(&r);
    }
    world_drop(&s.w);
}
