#include "world.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char ticket[] = "019a0000-0000-7000-8000-000000000001";

/* One ticket for a television in the centre, waiting for the reason given. */
static struct world waiting(const char *area)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    world_sql(&w, "DELETE FROM shift_pattern; DELETE FROM expert_shift; UPDATE expert SET schedule "
                  "= 'always'");
    world_sql(
        &w,
        "INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem) "
        "VALUES "
        "('%s', 'K7QM3-ZT94W', 1, decode(md5('1'), 'hex'), sha256('1'), 'web', 'tv', '%s', 'x');"
        "INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at, routable_at, "
        "assign_due, parked) "
        "SELECT id, 'parked', type, area, 3, created_at, created_at, created_at + interval '4 "
        "hours', "
        "       '{\"experts\":12,\"area\":12}' FROM ticket",
        ticket, area);
    return w;
}

static json_t *why(struct world *w)
{
    struct ran r = world_squad(w, "", "why %s --json", ticket);
    json_t *answer = json_loads(r.out, 0, NULL);
    cr_assert_eq(r.code, 0, "%s", r.err);
    cr_assert_not_null(answer, "%s", r.out);
    ran_free(&r);
    return answer;
}

static const char *text_at(const json_t *list, size_t i, const char *name)
{
    const char *text = json_string_value(json_object_get(json_array_get(list, i), name));
    return text ? text : "";
}

static void expect_text(struct world *w, const char *text)
{
    struct ran r = world_squad(w, "TZ=UTC", "why %s", ticket);
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_not_null(strstr(r.out, text), "\"%s\" is not in:\n%s", text, r.out);
    ran_free(&r);
}

Test(why, filters_are_counted_in_their_order_each_expert_once)
{
    struct world w = waiting("28013");
    world_sql(&w, "UPDATE expert SET active = false WHERE id = 9;" /* would lack the skill too */
                  "UPDATE expert SET schedule = 'shifts' WHERE id = 1;"
                  "INSERT INTO absence (expert_id, during) VALUES (2, tstzrange(now() - interval "
                  "'1 h', now() + interval '1 h'));"
                  "UPDATE expert SET status = 'break' WHERE id = 5;"
                  "INSERT INTO exclusion (ticket_id, expert_id, until, reason) SELECT id, 7, now() "
                  "+ interval '1 h', 'declined' FROM ticket;"
                  "UPDATE expert_load SET capacity = 0 WHERE expert_id = 10;"
                  "DELETE FROM expert_area WHERE expert_id = 12");
    expect_text(&w, "12 experts -> active 11 -> serves the area 8 -> skill tv>=2 5 -> on shift 4 "
                    "-> not absent 3 -> "
                    "available 2 -> not excluded 1 -> has a free slot 0\n");
    json_t *a = why(&w), *filters = json_object_get(a, "filters");
    int removed = 0;
    for (size_t i = 0; i < json_array_size(filters); i++)
        removed += (int)json_integer_value(json_object_get(json_array_get(filters, i), "removed"));
    cr_expect_eq(removed, 12);
    cr_expect_eq(json_integer_value(json_object_get(a, "fit")), 0);
    json_decref(a);
    world_drop(&w);
}

Test(why, nearest_misses_lack_one_thing_and_say_which)
{
    struct world w = waiting("28013");
    world_sql(&w, "UPDATE expert SET status = 'break' WHERE id IN (SELECT expert_id FROM "
                  "expert_skill WHERE skill = 'tv');"
                  "UPDATE expert SET status = 'available' WHERE id = 9");
    json_t *a = why(&w), *near = json_object_get(a, "near");
    cr_expect_eq(json_array_size(near), 5);
    for (size_t i = 0; i < 5; i++)
        cr_expect_eq(json_array_size(json_object_get(json_array_get(near, i), "lacks")), 1);
    cr_expect_str_eq(text_at(near, 0, "name"), "Alba Beltrán");
    cr_expect_str_eq(text_at(json_object_get(json_array_get(near, 0), "lacks"), 0, "what"),
                     "is on break");
    json_decref(a);
    world_sql(&w, "UPDATE expert_load SET capacity = 0 WHERE expert_id <> 9");
    expect_text(&w, "Inés Jiménez (9): has tv 1, needs 2\n");
    world_drop(&w);
}

Test(why, a_shift_that_begins_would_wake_it)
{
    struct world w = waiting("28013");
    world_sql(&w, "UPDATE expert SET schedule = 'shifts', zone = 'Europe/Madrid';"
                  "INSERT INTO expert_shift (expert_id, during) VALUES "
                  "(1, '[2031-03-03 08:00Z,2031-03-03 16:00Z)'), (2, '[2031-03-02 "
                  "08:00Z,2031-03-02 08:20Z)'), "
                  "(3, '[2031-03-01 08:00Z,2031-03-01 16:00Z)')");
    json_t *a = why(&w), *wakes = json_object_get(a, "wakes");
    cr_assert_eq(json_array_size(wakes), 1); /* expert 2 has too little time, 3 no skill */
    cr_expect_str_eq(text_at(wakes, 0, "what"), "shift");
    cr_expect_str_eq(text_at(wakes, 0, "name"), "Alba Beltrán");
    cr_expect_eq(strncmp(text_at(wakes, 0, "at"), "2031-03-03T08:00:00", 19), 0);
    json_decref(a);
    expect_text(&w, "2031-03-03 08:00  the shift of Alba Beltrán begins\n");
    world_drop(&w);
}

Test(why, a_requirement_that_is_dropped_would_wake_it_and_does)
{
    struct world w = waiting("28013");
    world_sql(&w, "UPDATE ticket_type_skill SET importance = 2, min_level = 5 WHERE type = 'tv';"
                  "UPDATE expert_skill SET level = 4 WHERE skill = 'tv'");
    json_t *a = why(&w), *wakes = json_object_get(a, "wakes");
    cr_assert_eq(json_array_size(wakes), 1);
    cr_expect_str_eq(text_at(wakes, 0, "what"), "relaxation");
    cr_expect_str_eq(text_at(wakes, 0, "detail"), "tv>=5");
    json_decref(a);
    cr_expect_eq(world_sql_long(&w, "SELECT (squad.ticket_why(id, created_at + interval '5 hours') "
                                    "->> 'fit')::integer FROM ticket"),
                 10);
    cr_expect_eq(world_sql_long(&w, "SELECT (squad.ticket_why(id, created_at + interval '3 hours') "
                                    "->> 'fit')::integer FROM ticket"),
                 0);
    world_drop(&w);
}

Test(why, agrees_with_expert_breaks_for_every_expert_and_rule)
{
    struct world w = waiting("28013");
    world_sql(
        &w, "SELECT setseed(0.42);"
            "UPDATE expert SET active = random() < 0.8, status = "
            "(ARRAY['available','available','busy','break'])[1 + floor(random() * 4)::int],"
            "  schedule = (ARRAY['always','shifts'])[1 + floor(random() * 2)::int];"
            "INSERT INTO expert_shift (expert_id, during) SELECT id, tstzrange(now() - interval '1 "
            "h' * random(), now() + interval '2 h' * random()) FROM expert;"
            "INSERT INTO absence (expert_id, during) SELECT id, tstzrange(now() + interval '2 h' * "
            "random() - interval '1 h', now() + interval '3 h') FROM expert WHERE random() < 0.3;"
            "INSERT INTO exclusion (ticket_id, expert_id, until, reason) SELECT t.id, e.id, now() "
            "+ interval '1 h', 'declined' FROM ticket t, expert e WHERE random() < 0.2;"
            "UPDATE expert_load SET capacity = floor(random() * 3)");
    cr_expect_eq(
        world_sql_long(&w,
                       "SELECT count(*) FROM ticket t, LATERAL (SELECT now() AS at) AS x,"
                       " LATERAL (SELECT coalesce(nullif((expert_breaks(t.id, e.id, x.at))[1], "
                       "''), 'none') AS f, count(*) AS n"
                       "            FROM expert e GROUP BY 1) AS slow"
                       " LEFT JOIN LATERAL (SELECT j ->> 'filter' AS f, (j ->> 'removed')::int AS n"
                       "   FROM json_array_elements(ticket_why(t.id, x.at) -> 'filters') AS j) AS "
                       "fast USING (f)"
                       " WHERE slow.f <> 'none' AND slow.n IS DISTINCT FROM fast.n"),
        0);
    world_drop(&w);
}

Test(why, of_an_assigned_ticket_names_those_it_was_chosen_before)
{
    struct world w = waiting("28013");
    world_sql(&w, "WITH moved AS (UPDATE dispatch SET state = 'assigned', parked = NULL, attempts "
                  "= 1 RETURNING ticket_id),"
                  " taken AS (UPDATE expert_load SET load = 1 WHERE expert_id = 1)"
                  " INSERT INTO assignment (ticket_id, expert_id, attempt, expert_version, why)"
                  " SELECT m.ticket_id, 1, 1, e.version, "
                  "'{\"experts\":12,\"fit\":6,\"load\":0,\"idle_s\":9,\"rivals\":[{\"expert\":7,"
                  "\"by\":\"skill_fit\"}]}'"
                  "   FROM moved m, expert e WHERE e.id = 1");
    expect_text(&w, "Alba Beltrán (1) reserved; 6 of 12 fit; before Gloria Herrero by skill_fit\n");
    json_t *a = why(&w);
    cr_expect_eq(json_array_size(json_object_get(a, "near")), 0);
    cr_expect_eq(json_array_size(json_object_get(a, "wakes")), 0);
    cr_expect_str_eq(text_at(json_object_get(a, "others"), 0, "name"), "Bruno Castillo");
    json_decref(a);
    world_drop(&w);
}

Test(why, takes_any_spelling_and_refuses_what_is_no_reference)
{
    struct world w = waiting("28013");
    struct ran r = world_squad(&w, "", "why 12345");
    cr_expect_eq(r.code, 2);
    cr_expect_not_null(strstr(r.err, "is not a reference"), "%s", r.err);
    ran_free(&r);
    r = world_squad(&w, "", "why 019a0000-0000-7000-8000-000000000002");
    cr_expect_eq(r.code, 1);
    cr_expect_not_null(strstr(r.err, "there is no ticket"), "%s", r.err);
    ran_free(&r);
    world_drop(&w);
}

Test(board, shows_what_waits_first_what_is_late_and_who_is_off)
{
    struct world w = waiting("28013");
    world_sql(&w, "UPDATE dispatch SET assign_due = now() - interval '1 minute';"
                  "UPDATE expert SET status = 'offline' WHERE id = 3");
    struct ran r = world_squad(&w, "TZ=UTC", "board");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_not_null(strstr(r.out, "tickets  1 waiting (1 overdue), 0 new, 0 in review"), "%s",
                       r.out);
    cr_expect_not_null(strstr(r.out, "experts  12: 11 at work, 0 busy, 0 on break, 1 offline"),
                       "%s", r.out);
    cr_expect_not_null(strstr(r.out, "waiting, next first\n  ticket       prio  type  area "), "%s",
                       r.out);
    cr_expect_not_null(strstr(r.out, "12 experts: 12 outside the area."), "%s", r.out);
    ran_free(&r);
    r = world_squad(&w, "", "board --json");
    json_t *board = json_loads(r.out, 0, NULL);
    cr_assert_not_null(board, "%s", r.out);
    cr_expect_eq(json_integer_value(json_object_get(board, "overdue")), 1);
    json_decref(board);
    ran_free(&r);
    world_drop(&w);
}

Test(status, tells_of_what_waits_for_a_person_and_of_every_ticket)
{
    struct world w = waiting("28013");
    world_sql(&w,
              "INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, area, "
              "problem) VALUES ('01900000-0000-7000-8000-000000000002', 'K7QM3-ZT94X', 1, "
              "decode(md5('2'), 'hex'), sha256('2'), 'web', 'tv', '28013', 'x');"
              "INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at) SELECT "
              "id, 'quarantined', type, area, 3, created_at FROM ticket WHERE ref = 'K7QM3-ZT94X'");
    struct ran r = world_squad(&w, "", "status --no-kafka");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_not_null(strstr(r.out, "2: 0 received, 1 parked, 0 in review, 1 quarantined, 0 "
                                     "assigned, 0 completed, 0 canceled"),
                       "%s", r.out);
    cr_expect_not_null(strstr(r.out, "1 quarantined, oldest "), "%s", r.out);
    ran_free(&r);
    r = world_squad(&w, "", "board");
    cr_expect_not_null(strstr(r.out, "0 in review, 1 quarantined"), "%s", r.out);
    ran_free(&r);
    world_drop(&w);
}
