#include "plant.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *find(json_t *facts, const char *kind, const char *type)
{
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(facts, "events"), i, e)
    {
        const char *t = json_string_value(json_object_get(json_object_get(e, "detail"), "type"));
        if (strcmp(json_string_value(json_object_get(e, "kind")), kind) == 0 &&
            (!type || (t && strcmp(t, type) == 0)))
            return e;
    }
    cr_assert_fail("no event %s %s", kind, type ? type : "");
    return NULL;
}

Test(show, the_timeline_has_every_step_in_order_and_no_personal_data)
{
    struct world w;
    struct planted p;
    world_make(&w, WORLD_MIGRATED | WORLD_TOPICS | WORLD_SEEDED);
    plant_ticket(&w, 1, true, &p);
    plant_publish(&w, "true");
    struct ran r = world_squad(&w, "", "ticket show %s --json", p.ref);
    cr_assert_eq(r.code, 0, "%s", r.err);
    json_t *facts = json_loads(r.out, 0, NULL), *ticket = json_object_get(facts, "ticket");
    cr_assert_not_null(facts);
    cr_expect_str_eq(json_string_value(json_object_get(ticket, "ref")), p.ref);
    cr_expect_str_eq(json_string_value(json_object_get(ticket, "assignment_id")), p.assignment);
    cr_expect_str_eq(json_string_value(json_object_get(ticket, "state")), "completed");
    static const char *const kinds[] = {"received", "published", "reserved", "offered",
                                        "completed"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        find(facts, kinds[i], NULL);
    json_t *created =
        json_object_get(find(facts, "published", "squad.ticket.created.v1"), "detail");
    cr_expect(json_is_integer(json_object_get(created, "partition")));
    cr_expect(json_is_integer(json_object_get(created, "offset")));
    json_t *why = json_object_get(json_object_get(find(facts, "reserved", NULL), "detail"), "why");
    cr_expect_eq(json_integer_value(json_object_get(why, "fit")), 5);
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(facts, "events"), i, e)
        cr_expect(json_real_value(json_object_get(e, "since_ms")) >= 0);
    cr_expect_null(strstr(r.out, "Secret Name"));
    cr_expect_null(strstr(r.out, "No picture"));
    json_decref(facts);
    ran_free(&r);
    world_drop(&w);
}

Test(show, a_reference_in_any_spelling_or_the_id_will_do)
{
    struct world w;
    struct planted p;
    world_make(&w, WORLD_MIGRATED | WORLD_TOPICS | WORLD_SEEDED);
    plant_received(&w, &p);
    for (char *c = p.ref; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c == '-' ? ' ' : *c);
    struct ran by_ref = world_squad(&w, "", "ticket show '%s'", p.ref);
    struct ran by_id = world_squad(&w, "", "ticket show %s --no-kafka", p.id);
    cr_expect_eq(by_ref.code, 0, "%s", by_ref.err);
    cr_expect_eq(by_id.code, 0, "%s", by_id.err);
    cr_expect(strstr(by_ref.out, "written, not (yet) found"), "%s", by_ref.out);
    ran_free(&by_ref);
    ran_free(&by_id);
    world_drop(&w);
}

Test(show, what_is_no_reference_or_no_ticket_is_told_apart)
{
    struct world w;
    uint8_t id[16];
    char ref[TICKET_REF_LEN + 1];
    world_make(&w, WORLD_MIGRATED);
    uuid7_make(id);
    ticket_ref_make(id, ref);
    struct ran wrong = world_squad(&w, "", "ticket show 12345-67890");
    struct ran unknown = world_squad(&w, "", "ticket show %s", ref);
    cr_expect_eq(wrong.code, 2);
    cr_expect(strstr(wrong.err, "not a reference"), "%s", wrong.err);
    cr_expect_eq(unknown.code, 1);
    cr_expect(strstr(unknown.err, "there is no ticket"), "%s", unknown.err);
    ran_free(&wrong);
    ran_free(&unknown);
    world_drop(&w);
}

Test(show, without_kafka_the_tables_still_speak)
{
    struct world w;
    struct planted p;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    plant_ticket(&w, 1, false, &p);
    struct ran r = world_squad(&w, "", "ticket show %s", p.ref);
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect(strstr(r.err, "warning: there is no topic"), "%s", r.err);
    cr_expect(strstr(r.out, "5 of 12 fit"), "%s", r.out);
    ran_free(&r);
    world_drop(&w);
}

static void expect_line(const char *text, const char *label, const char *program, const char *what)
{
    const char *at = text;
    while ((at = strstr(at, label)) != NULL) {
        const char *end = strchrnul(at, '\n');
        char *line = strndup(at, (size_t)(end - at));
        bool good = strstr(line, program) && strstr(line, what);
        free(line);
        if (good)
            return;
        at = end;
    }
    cr_expect(false, "no line with %s, %s and %s in\n%s", label, program, what, text);
}

Test(show, every_step_is_said_in_words)
{
    struct world w;
    struct planted p, q;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    plant_ticket(&w, 1, false, &p);
    free(world_sql(
        &w, "SELECT outcome FROM ticket_prioritize('%s', 1, NULL, 'a clinic', 'client desk')",
        p.id));
    free(world_sql(&w, "SELECT outcome FROM offer_accept('%s', 1, 'client phone')", p.assignment));
    free(world_sql(&w, "SELECT outcome FROM job_move('%s', 1, 'en_route', 'client phone')",
                   p.assignment));
    free(world_sql(
        &w, "SELECT outcome FROM ticket_reassign('%s', 2, 'nearer', true, 'client desk')", p.id));
    free(world_sql(&w, "SELECT outcome FROM ticket_cancel('%s', 'solved by phone', 'client a/b')",
                   p.id));
    struct ran r = world_squad(&w, "", "ticket show %s --no-kafka", p.ref);
    cr_assert_eq(r.code, 0, "%s", r.err);
    expect_line(r.out, "assigned", "assigner", "5 of 12 fit, load 0, idle for");
    expect_line(r.out, "prioritized", "intake", "priority 1, before 3, due 2");
    expect_line(r.out, "prioritized", "intake", ": a clinic, by client desk");
    expect_line(r.out, "accepted", "intake", "(expert 1), by client phone");
    expect_line(r.out, "en route", "intake", "(expert 1), by client phone");
    expect_line(r.out, "reassigned", "intake", "(expert 2), before expert 1: nearer, by");
    expect_line(r.out, "canceled", "intake", "(expert 2): solved by phone, by client a/b");
    ran_free(&r);
    plant_ticket(&w, 1, false, &q);
    free(world_sql(&w, "SELECT outcome FROM offer_decline('%s', 1, 'too_far', 'client phone')",
                   q.assignment));
    free(world_sql(&w,
                   "UPDATE priority SET manager_s = 0, customer_s = 0; "
                   "UPDATE dispatch SET tell_at = now() WHERE ticket_id = '%s'",
                   q.id));
    free(world_sql(&w, "SELECT count(*) FROM waiting_tell(10, 'assigner/1')"));
    free(world_sql(
        &w,
        "INSERT INTO ticket_event (ticket_id, kind, actor, detail) VALUES ('%s', 'parked', "
        "'assigner/1', '{\"experts\":36,\"inactive\":1,\"area\":2,\"skill\":3,"
        "\"shift\":4,\"absent\":5,\"presence\":6,\"excluded\":7,\"capacity\":8}')",
        q.id));
    r = world_squad(&w, "", "ticket show %s --no-kafka", q.ref);
    expect_line(r.out, "declined", "intake", "(expert 1): too_far, by client phone");
    expect_line(
        r.out, "parked", "assigner",
        "nobody of 36 can take it: 1 inactive, 2 elsewhere, 3 without the skill, 4 off shift, "
        "5 absent, 6 not available, 7 tried before, 8 full");
    expect_line(r.out, "manager told", "assigner", "that it still waits");
    expect_line(r.out, "customer told", "assigner", "that it still waits");
    ran_free(&r);
    world_drop(&w);
}

Test(show, a_ticket_of_many_events_is_shown_whole)
{
    struct world w;
    struct planted p;
    size_t i;
    json_t *e;
    int written = 0;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    plant_received(&w, &p);
    free(world_sql(&w,
                   "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) SELECT "
                   "'ticket', '%s', 'squad.ticket.parked.v1', '{}' FROM generate_series(1, 300)",
                   p.id));
    struct ran r = world_squad(&w, "", "ticket show %s --json --no-kafka", p.ref);
    json_t *facts = json_loads(r.out, 0, NULL);
    json_array_foreach(json_object_get(facts, "events"), i, e) written +=
        strcmp(json_string_value(json_object_get(e, "kind")), "written") == 0;
    cr_expect_eq(written, 301, "%d\n%s", written, r.err);
    json_decref(facts);
    ran_free(&r);
    world_drop(&w);
}

Test(status, shows_rows_lag_and_loads)
{
    struct world w;
    struct planted p;
    world_make(&w, WORLD_MIGRATED | WORLD_TOPICS | WORLD_SEEDED);
    plant_ticket(&w, 1, false, &p);
    plant_received(&w, &p);
    long rows = plant_publish(&w, "true");
    struct ran r = world_squad(&w, "", "status --json");
    cr_assert_eq(r.code, 0, "%s", r.err);
    json_t *o = json_loads(r.out, 0, NULL), *tickets = json_object_get(o, "tickets");
    cr_expect_eq(json_integer_value(json_object_get(tickets, "received")), 1);
    cr_expect_eq(json_integer_value(json_object_get(tickets, "assigned")), 1);
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(o, "outbox"), "rows")), rows);
    json_t *lag = json_object_get(o, "lag");
    cr_expect_eq(json_integer_value(json_object_get(lag, "assigner")), rows - 1);
    cr_expect_eq(json_integer_value(json_object_get(lag, "notifier")), 1);
    json_t *first = json_array_get(json_object_get(o, "experts"), 0);
    cr_expect_eq(json_integer_value(json_object_get(first, "load")), 1, "the fullest first");
    json_decref(o);
    ran_free(&r);
    r = world_squad(&w, "SQUAD_KAFKA=127.0.0.1:1", "status");
    cr_expect_eq(r.code, 5, "exit %d", r.code);
    cr_expect(strstr(r.out, "1 not yet seen by an assigner"), "%s", r.out);
    ran_free(&r);
    world_drop(&w);
}
