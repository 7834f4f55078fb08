#include "choose.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct roster roster;

static struct expert facts(int32_t id, int load, int capacity, int64_t idle_since_us)
{
    return (struct expert){.id = id,
                           .version = 1,
                           .active = true,
                           .available = true,
                           .shift = span_always,
                           .absence = span_never,
                           .position = point_unknown,
                           .home = point_unknown,
                           .load = load,
                           .capacity = capacity,
                           .idle_since_us = idle_since_us};
}

static struct expert *add(int32_t id, int load, int capacity, int64_t idle_since_us,
                          const char *skills, const char *areas)
{
    struct expert e = facts(id, load, capacity, idle_since_us);
    return roster_put(&roster, &e, skills, areas);
}

static struct wish wish_for(const char *type, const char *area)
{
    struct wish w = {.type = roster_type(&roster, type), .area = area};
    cr_assert_not_null(w.type);
    return w;
}

static struct choice ask(const char *type, const char *area, const int32_t *excluded, size_t n)
{
    struct choice c;
    struct wish w = wish_for(type, area);
    w.excluded = excluded;
    w.n_excluded = n;
    choose(&roster, &w, false, &c);
    return c;
}

static void company(void)
{
    for (int p = 1; p <= PRIORITIES; p++)
        for (int i = 1; i <= IMPORTANCES; i++)
            roster.relax_us[p][i] = (IMPORTANCES + 1 - i) * 100 * p;
    roster_add_type(&roster, "tv", 3);
    roster_add_need(&roster, "tv", "tv", 2, 0);
    roster_add_type(&roster, "installation", 5);
    roster_add_need(&roster, "installation", "internet", 3, 0);
    roster_add_need(&roster, "installation", "wiring", 2, 0);
    roster_add_type(&roster, "anything", 1);
}

static void leave(void)
{
    roster_free(&roster);
}

TestSuite(choose, .init = company, .fini = leave);

Test(choose, each_filter_counts_whom_it_removes_in_order)
{
    const int64_t hour = INT64_C(3600000000);
    struct expert e = facts(1, 1, 1, 0);
    e.active = false; /* and all that follows: counted once, under the first */
    e.available = false;
    roster_put(&roster, &e, "tv:1", "290");
    add(2, 0, 1, 0, "tv:5", "290");
    add(3, 0, 1, 0, "tv:1", "280");
    add(4, 0, 1, 0, "internet:5", "280");
    add(5, 0, 1, 0, "tv:2", "280");
    add(6, 1, 1, 0, "tv:2", "280");
    add(7, 0, 1, 0, "tv:2", "280")->shift = span_never;
    add(8, 0, 1, 0, "tv:2", "280")->shift =
        (struct span){0, hour - 1}; /* the job would end later */
    add(9, 0, 1, 0, "tv:2", "280")->absence = (struct span){hour - 1, INT64_MAX};
    add(10, 0, 1, 0, "tv:2", "280")->available = false;
    struct choice c = ask("tv", "28013", (int32_t[]){5}, 1);
    char json[CHOICE_TEXT_MAX];
    choice_reason(&c, json);
    cr_expect_null(c.expert);
    cr_expect_eq(c.fit, 0);
    cr_expect_str_eq(json, "{\"experts\":10,\"inactive\":1,\"area\":1,\"skill\":2,\"shift\":2,"
                           "\"absent\":1,\"presence\":1,\"excluded\":1,\"capacity\":1}");
}

Test(choose, a_shift_and_an_absence_begin_inclusive_and_end_exclusive)
{
    const int64_t hour = INT64_C(3600000000);
    struct expert *e = add(1, 0, 1, 0, "tv:2", "28");
    e->shift = (struct span){1000, 1000 + hour};
    struct wish w = wish_for("tv", "28013");
    for (int64_t now = 999; now <= 1001; now++) {
        w.now_us = now;
        cr_expect_eq(expert_filter(&roster, e, &w), now == 1000 ? FILTERS : FILTER_SHIFT);
    }
    e->shift = span_always;
    e->absence = (struct span){hour, 2 * hour};
    for (int64_t now = -1; now <= 1; now++) {
        w.now_us = now;
        cr_expect_eq(expert_filter(&roster, e, &w), now <= 0 ? FILTERS : FILTER_ABSENT, "before");
        w.now_us = 2 * hour + now;
        cr_expect_eq(expert_filter(&roster, e, &w), now >= 0 ? FILTERS : FILTER_ABSENT, "after");
    }
}

Test(choose, requirements_are_dropped_by_importance_counted_from_when_it_became_routable)
{
    roster_add_need(&roster, "anything", "tv", 2, 3);
    roster_add_need(&roster, "anything", "wiring", 2, 1);
    roster_add_need(&roster, "anything", "phone", 1, 0);
    add(1, 0, 9, 0, "phone:1", "28");
    add(2, 0, 9, 1, "phone:1,wiring:2", "28");
    add(3, 0, 9, 2, "tv:5,wiring:5", "28");
    struct wish w = wish_for("anything", "28013");
    struct choice c;
    w.routable_us = 1000;
    static const struct {
        int64_t age_us;
        int32_t expert, skill;
        int64_t next_us;
    } rows[] = {{0, 0, 3, 1100},
                {99, 0, 3, 1100},
                {100, 2, 2, 1300},
                {299, 2, 2, 1300},
                {300, 1, 1, INT64_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        w.now_us = 1000 + rows[i].age_us;
        choose(&roster, &w, false, &c);
        cr_expect_eq(c.expert ? c.expert->id : 0, rows[i].expert, "age %ld", (long)rows[i].age_us);
        cr_expect_eq(c.removed[FILTER_SKILL], rows[i].skill);
        cr_expect_eq(wish_relaxes_us(&roster, &w), rows[i].next_us);
    }
}

Test(choose, least_load_then_longest_idle_then_lowest_id)
{
    add(4, 1, 3, 100, "tv:2", "28");
    add(3, 0, 3, 300, "tv:2", "28");
    add(2, 0, 3, 200, "tv:2", "28");
    add(1, 0, 3, 200, "tv:2", "28");
    int32_t order[5];
    for (int i = 0; i < 5; i++) {
        struct choice c = ask("tv", "28013", NULL, 0);
        cr_assert_not_null(c.expert);
        order[i] = c.expert->id;
        c.expert->taken++;
    }
    cr_expect_arr_eq(order, ((int32_t[]){1, 2, 3, 4, 1}), sizeof order);
}

Test(choose, every_needed_skill_must_be_there_with_its_level)
{
    add(1, 0, 1, 0, "internet:3", "28");
    add(2, 0, 1, 0, "internet:2,wiring:5", "28");
    cr_expect_null(ask("installation", "28013", NULL, 0).expert);
    add(3, 0, 1, 0, "wiring:2,internet:3", "28");
    cr_expect_eq(ask("installation", "28013", NULL, 0).expert->id, 3);
}

Test(choose, a_type_that_needs_nothing_fits_everybody_in_the_area)
{
    add(1, 0, 1, 0, "", "28");
    cr_expect_eq(ask("anything", "28013", NULL, 0).expert->id, 1);
    cr_expect_null(ask("anything", "08001", NULL, 0).expert);
}

Test(choose, areas_match_by_prefix_only)
{
    add(1, 0, 9, 0, "tv:2", "2801,SW1A 1");
    cr_expect_not_null(ask("tv", "28013", NULL, 0).expert);
    cr_expect_not_null(ask("tv", "2801", NULL, 0).expert);
    cr_expect_not_null(ask("tv", "SW1A 1AA", NULL, 0).expert);
    cr_expect_null(ask("tv", "280", NULL, 0).expert);
    cr_expect_null(ask("tv", "12801", NULL, 0).expert);
}

Test(choose, held_only_chooses_among_the_held_but_counts_all_who_fit)
{
    add(1, 0, 1, 0, "tv:2", "28");
    add(2, 0, 1, 1, "tv:2", "28")->held = true;
    struct choice c;
    struct wish w = wish_for("tv", "28013");
    choose(&roster, &w, true, &c);
    cr_expect_eq(c.expert->id, 2);
    cr_expect_eq(c.fit, 2);
    roster_find(&roster, 2)->taken = 1;
    choose(&roster, &w, true, &c);
    cr_expect_null(c.expert);
    cr_expect_eq(c.fit, 1);
}

Test(choose, a_change_of_an_expert_is_seen_at_once)
{
    add(1, 0, 1, 0, "tv:1", "28");
    cr_expect_null(ask("tv", "28013", NULL, 0).expert);
    add(1, 0, 1, 0, "tv:2", "28");
    cr_expect_not_null(ask("tv", "28013", NULL, 0).expert);
    add(1, 0, 1, 0, "tv:2", "29");
    cr_expect_null(ask("tv", "28013", NULL, 0).expert);
    roster_remove(&roster, 1);
    cr_expect_eq(ask("tv", "28013", NULL, 0).experts, 0);
}

Test(choose, why_says_what_the_choice_was_made_on)
{
    char json[CHOICE_TEXT_MAX];
    add(7, 2, 5, 1000000, "tv:2", "28");
    add(8, 3, 5, 1000000, "tv:2", "28");
    add(9, 2, 5, 1000000, "tv:2", "28");
    struct choice c = ask("tv", "28013", NULL, 0);
    choice_why(&c, 533000000, json);
    cr_expect_str_eq(json, "{\"experts\":3,\"fit\":3,\"load\":2,\"idle_s\":532,\"rivals\":["
                           "{\"expert\":9,\"by\":\"number\"},{\"expert\":8,\"by\":\"load\"}]}");
}

static int32_t best_by(const char *objectives, const char *area, int32_t sticky)
{
    struct wish w = wish_for("tv", area);
    struct choice c;
    roster_set_objectives(roster_type(&roster, "tv"), objectives);
    w.sticky = sticky;
    choose(&roster, &w, false, &c);
    return c.expert ? c.expert->id : 0;
}

Test(choose, the_first_objective_that_differs_decides)
{
    add(1, 1, 4, 100, "tv:2", "28");
    add(2, 1, 2, 50, "tv:5", "28");
    add(3, 2, 8, 200, "tv:3", "28");
    cr_expect_eq(best_by("load,idle", "28013", 0), 1, "a quarter each, the longer idle");
    cr_expect_eq(best_by("idle,load", "28013", 0), 2);
    cr_expect_eq(best_by("sticky,load", "28013", 2), 2);
    cr_expect_eq(best_by("sticky,load,idle", "28013", 9), 1, "the sticky one is not here");
    cr_expect_eq(best_by("skill_fit", "28013", 0), 1, "priority 3: the smallest surplus");
    roster_type(&roster, "tv")->priority = 2;
    cr_expect_eq(best_by("skill_fit", "28013", 0), 2, "priority 2: the best");
    cr_expect_eq(best_by("", "28013", 0), 1, "the number alone");
}

Test(choose, distance_counts_from_a_fresh_position_else_from_home_in_whole_kilometres)
{
    roster_add_place(&roster, "28", (struct point){40.0f, -3.0f});
    roster_add_place(&roster, "2801", (struct point){41.0f, -3.0f});
    roster.position_max_age_us = 1000;
    struct expert *a = add(1, 0, 1, 0, "tv:2", "28"), *b = add(2, 0, 1, 0, "tv:2", "28");
    cr_expect_eq(best_by("distance", "28013", 0), 1, "unknown are equal");
    b->home = (struct point){41.1f, -3.0f};
    cr_expect_eq(best_by("distance", "28013", 0), 2, "unknown is farthest");
    a->home = (struct point){40.01f, -3.0f};
    cr_expect_eq(best_by("distance", "28013", 0), 2, "the longest prefix says where it is");
    cr_expect_eq(best_by("distance", "28999", 0), 1);
    a->position = (struct point){41.0f, -3.0f};
    a->position_us = -1000;
    cr_expect_eq(best_by("distance", "28013", 0), 1);
    a->position_us = -1001;
    cr_expect_eq(best_by("distance", "28013", 0), 2, "too old to be believed");
    a->position_us = 0;
    b->position = (struct point){41.005f, -3.0f};
    cr_expect_eq(best_by("distance", "28013", 0), 1, "the same kilometre: the number");
    cr_expect_eq(distance_km((struct point){40.4168f, -3.7038f}, (struct point){41.3874f, 2.1686f}),
                 505, "Madrid to Barcelona");
}

Test(choose, several_are_different_and_the_best)
{
    for (int32_t i = 1; i <= 7; i++)
        add(i, 7 - i, 7, 0, "tv:2", "28");
    struct expert *e[OFFERS_MAX];
    struct choice c;
    struct wish w = wish_for("tv", "28013");
    cr_assert_eq(choose_several(&roster, &w, false, 3, e, &c), 3);
    for (int32_t i = 0; i < 3; i++)
        cr_expect_eq(e[i]->id, 7 - i);
    cr_expect_eq(c.n_rivals, RIVALS_MAX);
    cr_expect_eq(c.rivals[0].expert, 4);
    cr_assert_eq(choose_several(&roster, &w, false, 5, e, &c), 5);
    cr_expect_eq(c.n_rivals, 2, "nobody else is there");
}

Test(choose, a_new_ticket_leaves_the_woken_to_those_that_wait)
{
    struct choice c;
    struct wish w = wish_for("tv", "28013");
    roster_wake(&roster, add(1, 0, 1, 0, "tv:2", "28"), true);
    w.yields = true;
    choose(&roster, &w, false, &c);
    cr_expect_null(c.expert);
    cr_expect_eq(c.fit, 1);
    cr_expect_eq(c.yielded, 1);
    w.yields = false;
    choose(&roster, &w, false, &c);
    cr_expect_not_null(c.expert);
    cr_expect_eq(roster.n_woken, 1);
    roster_remove(&roster, 1);
    cr_expect_eq(roster.n_woken, 0);
}

Test(choose, whose_shift_began_since_the_last_tick_is_left_as_if_woken)
{
    int32_t *ids;
    struct choice c;
    struct wish w = wish_for("tv", "28013");
    struct expert *e = add(1, 0, 1, 0, "tv:2", "28");
    roster_set_times(&roster, e, (struct span){1000, INT64_MAX}, span_never);
    roster_tick(&roster, 999, &ids);
    free(ids);
    w.yields = true;
    w.now_us = 1000;
    choose(&roster, &w, false, &c);
    cr_expect_null(c.expert, "the next tick wakes him for those that wait");
    cr_expect_eq(c.yielded, 1);
    roster_tick(&roster, 1001, &ids);
    free(ids);
    cr_expect(e->woken);
    roster_wake(&roster, e, false);
    w.now_us = 1002;
    choose(&roster, &w, false, &c);
    cr_expect_not_null(c.expert, "nobody waited for him");
}

Test(choose, time_wakes_who_comes_on_shift_and_names_whose_times_are_over)
{
    int32_t *ids;
    struct expert e = facts(1, 0, 1, 0);
    e.shift = (struct span){100, 200};
    roster_put(&roster, &e, "tv:2", "28");
    e.id = 2;
    e.shift = span_always;
    e.absence = (struct span){150, 300};
    roster_put(&roster, &e, "tv:2", "28");
    roster_tick(&roster, 50, &ids);
    free(ids);
    roster_wake(&roster, roster_find(&roster, 2), false); /* always on shift */
    cr_expect_eq(roster.n_woken, 0);
    cr_expect_eq(roster_tick(&roster, 100, &ids), 0);
    cr_expect(roster_find(&roster, 1)->woken);
    cr_expect_eq(roster_tick(&roster, 150, &ids), 1, "the absence begins");
    cr_expect_eq(ids[0], 2);
    free(ids);
    cr_expect_eq(roster_tick(&roster, 200, &ids), 1, "the shift is over");
    cr_expect_eq(ids[0], 1);
    free(ids);
    roster_set_times(&roster, roster_find(&roster, 1), (struct span){1000, 2000}, span_never);
    cr_expect_eq(roster_tick(&roster, 299, &ids), 0);
    cr_expect_eq(roster_tick(&roster, 300, &ids), 1, "back from absence");
    cr_expect_eq(ids[0], 2);
    free(ids);
    cr_expect(roster_find(&roster, 2)->woken);
    roster_set_times(&roster, roster_find(&roster, 2), span_always, span_never);
    cr_expect_eq(roster.next_tick_us, 1000);
}

static const struct expert *plain_search(const char *type, const char *area, struct choice *c)
{
    const struct expert *best = NULL;
    struct wish w = wish_for(type, area);
    memset(c, 0, sizeof *c);
    for (size_t k = 0; k < roster.n_slots; k++) {
        const struct expert *e = &roster.experts[k];
        if (!e->id)
            continue;
        c->experts++;
        enum filter f = expert_filter(&roster, e, &w);
        if (f != FILTERS) {
            c->removed[f]++;
            continue;
        }
        c->fit++;
        int64_t mine = best ? (int64_t)e->load * best->capacity : 0,
                his = best ? (int64_t)best->load * e->capacity : 1;
        if (!best || mine < his ||
            (mine == his && (e->idle_since_us < best->idle_since_us ||
                             (e->idle_since_us == best->idle_since_us && e->id < best->id))))
            best = e;
    }
    return best;
}

/* The index by type and prefixes, kept through changes, against looking at everybody. */
Test(choose, the_index_agrees_with_a_plain_search)
{
    unsigned seed = 20261124;
    roster_set_objectives(roster_type(&roster, "tv"), "load,idle");
    roster_set_objectives(roster_type(&roster, "installation"), "load,idle");
    for (int i = 0; i < 4000; i++) {
        char skills[64], areas[64], area[8];
        const char *type = rand_r(&seed) % 2 ? "tv" : "installation";
        int32_t id = (int32_t)(rand_r(&seed) % 500 + 1);
        snprintf(skills, sizeof skills, "tv:%d,internet:%d,wiring:%d", rand_r(&seed) % 5 + 1,
                 rand_r(&seed) % 5 + 1, rand_r(&seed) % 5 + 1);
        snprintf(areas, sizeof areas, "%d,%d", rand_r(&seed) % 90 + 10, rand_r(&seed) % 900 + 100);
        struct expert e =
            facts(id, (int)(rand_r(&seed) % 3), (int)(rand_r(&seed) % 4), rand_r(&seed) % 100);
        e.active = rand_r(&seed) % 10;
        e.available = rand_r(&seed) % 10;
        if (rand_r(&seed) % 5)
            roster_put(&roster, &e, skills, areas);
        else
            roster_remove(&roster, id);
        snprintf(area, sizeof area, "%05d", rand_r(&seed) % 100000);
        struct choice plain, c = ask(type, area, NULL, 0);
        const struct expert *best = plain_search(type, area, &plain);
        cr_assert_eq(c.expert, best, "area %s", area);
        cr_assert_eq(c.experts, plain.experts);
        cr_assert_eq(c.fit, plain.fit);
        cr_assert_arr_eq(c.removed, plain.removed, sizeof c.removed);
    }
}
