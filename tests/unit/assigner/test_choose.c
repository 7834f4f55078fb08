#include "choose.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct roster roster;

static struct expert *add(int32_t id, int load, int capacity, int64_t idle_since_us,
                          const char *skills, const char *areas)
{
    struct expert e = {.id = id,
                       .version = 1,
                       .active = true,
                       .load = load,
                       .capacity = capacity,
                       .idle_since_us = idle_since_us};
    return roster_put(&roster, &e, skills, areas);
}

static struct choice ask(const char *type, const char *area, const int32_t *excluded, size_t n)
{
    struct choice c;
    struct wish w = {roster_type(&roster, type), area, excluded, n};
    cr_assert_not_null(w.type);
    choose(&roster, &w, false, &c);
    return c;
}

static void company(void)
{
    roster_add_type(&roster, "tv", 3);
    roster_add_need(&roster, "tv", "tv", 2);
    roster_add_type(&roster, "installation", 5);
    roster_add_need(&roster, "installation", "internet", 3);
    roster_add_need(&roster, "installation", "wiring", 2);
    roster_add_type(&roster, "anything", 1);
}

static void leave(void)
{
    roster_free(&roster);
}

TestSuite(choose, .init = company, .fini = leave);

Test(choose, each_filter_counts_whom_it_removes_in_order)
{
    add(1, 0, 1, 0, "tv:5", "280")->active = false;
    roster_put(&roster, roster_find(&roster, 1), "tv:5", "280");
    add(2, 0, 1, 0, "tv:5", "290");
    add(3, 0, 1, 0, "tv:1", "280");
    add(4, 0, 1, 0, "internet:5", "280");
    add(5, 0, 1, 0, "tv:2", "280");
    add(6, 1, 1, 0, "tv:2", "280");
    struct choice c = ask("tv", "28013", (int32_t[]){5}, 1);
    char json[CHOICE_TEXT_MAX];
    choice_reason(&c, json);
    cr_expect_null(c.expert);
    cr_expect_eq(c.fit, 0);
    cr_expect_str_eq(json, "{\"experts\":6,\"inactive\":1,\"area\":1,\"skill\":2,\"excluded\":1,"
                           "\"capacity\":1}");
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
    struct wish w = {roster_type(&roster, "tv"), "28013", NULL, 0};
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
    struct choice c = ask("tv", "28013", NULL, 0);
    choice_why(&c, 533000000, json);
    cr_expect_str_eq(json, "{\"experts\":1,\"fit\":1,\"load\":2,\"idle_s\":532}");
}

/* The index by type and prefixes against looking at everybody. */
Test(choose, the_index_agrees_with_a_plain_search)
{
    unsigned seed = 20261124;
    for (int i = 1; i <= 500; i++) {
        char skills[64], areas[64];
        snprintf(skills, sizeof skills, "tv:%d,internet:%d,wiring:%d", rand_r(&seed) % 5 + 1,
                 rand_r(&seed) % 5 + 1, rand_r(&seed) % 5 + 1);
        snprintf(areas, sizeof areas, "%d,%d", rand_r(&seed) % 90 + 10, rand_r(&seed) % 900 + 100);
        add(i, rand_r(&seed) % 3, rand_r(&seed) % 4, rand_r(&seed) % 1000, skills, areas);
    }
    for (int i = 0; i < 2000; i++) {
        char area[8];
        const char *type = rand_r(&seed) % 2 ? "tv" : "installation";
        snprintf(area, sizeof area, "%05d", rand_r(&seed) % 100000);
        struct choice c = ask(type, area, NULL, 0);
        const struct expert *best = NULL;
        int fit = 0;
        for (size_t k = 0; k < roster.n; k++) {
            const struct expert *e = &roster.experts[k];
            bool near = false, able = true;
            for (size_t a = 0; a < e->n_areas; a++)
                near |= names_find(&roster.prefixes, area, 2) == e->areas[a] ||
                        names_find(&roster.prefixes, area, 3) == e->areas[a];
            const struct ticket_type *t = roster_type(&roster, type);
            for (size_t n = 0; n < t->n_needs; n++) {
                bool has = false;
                for (size_t s = 0; s < e->n_skills; s++)
                    has |= e->skills[s].skill == t->needs[n].skill &&
                           e->skills[s].level >= t->needs[n].level;
                able &= has;
            }
            if (!near || !able || e->load >= e->capacity)
                continue;
            fit++;
            if (!best || e->load < best->load ||
                (e->load == best->load && e->idle_since_us < best->idle_since_us))
                best = e;
        }
        cr_assert_eq(c.fit, fit);
        cr_assert_eq(c.expert, best, "area %s", area);
    }
}
