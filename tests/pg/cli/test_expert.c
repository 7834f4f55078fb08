#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect_out(struct ran r, const char *text)
{
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_not_null(strstr(r.out, text), "\"%s\" is not in:\n%s%s", text, r.out, r.err);
    ran_free(&r);
}

static void expect_refused(struct ran r, int code, const char *text)
{
    cr_expect_eq(r.code, code, "%s%s", r.out, r.err);
    cr_expect_not_null(strstr(r.err, text), "\"%s\" is not in:\n%s", text, r.err);
    ran_free(&r);
}

#define SQUAD(...) world_squad(&w, "TZ=Europe/Madrid", __VA_ARGS__)

static struct world company(void)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    world_sql(&w, "DELETE FROM shift_pattern; DELETE FROM expert_shift; UPDATE expert SET schedule "
                  "= 'always'");
    return w;
}

Test(expert, is_found_by_number_name_and_part_of_the_name)
{
    struct world w = company();
    expect_out(SQUAD("expert show 7"), "Gloria Herrero, expert 7");
    expect_out(SQUAD("expert show 'Gloria Herrero'"), "Gloria Herrero, expert 7");
    expect_out(SQUAD("expert show herr"), "Gloria Herrero, expert 7");
    expect_refused(SQUAD("expert show glorai"), 1, "Did you mean: Gloria Herrero?");
    expect_refused(SQUAD("expert show er"), 2, "is more than one expert");
    expect_refused(SQUAD("expert show er"), 2, "Gloria Herrero (7)");
    expect_refused(SQUAD("expert show 99"), 1, "there is no expert \"99\"");
    expect_refused(SQUAD("expert show 0"), 2, "0 is not the number of an expert");
    expect_refused(SQUAD("expert shwo 7"), 2, "Did you mean: squad expert show?");
    world_drop(&w);
}

Test(expert, lists_line_up_and_are_narrowed)
{
    struct world w = company();
    struct ran r = SQUAD("expert list --skill tv --area 28013");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_not_null(strstr(r.out, "7 experts"), "%s", r.out);
    cr_expect_not_null(strstr(r.out, "  expert  name            active  presence   on shift"), "%s",
                       r.out);
    cr_expect_not_null(strstr(r.out, "       1  Alba Beltrán    yes     available  yes"), "%s",
                       r.out);
    cr_expect_null(strstr(r.out, "Karim"), "%s", r.out);
    ran_free(&r);
    expect_out(SQUAD("expert list --status break"), "no expert is like that");
    expect_out(SQUAD("expert list --rows 11"), "... and more (--rows N)");
    r = SQUAD("expert list --rows 12");
    cr_expect_null(strstr(r.out, "... and more"), "%s", r.out);
    ran_free(&r);
    expect_out(SQUAD("expert list --rows 1 --json"), "[{\"expert_id\":1,\"name\":\"Alba Beltrán\"");
    expect_refused(SQUAD("expert list --status brake"), 2, "status");
    world_drop(&w);
}

Test(expert, presence_is_set_and_said_in_the_history)
{
    struct world w = company();
    expect_out(SQUAD("expert status 7 break --reason lunch"), "Gloria Herrero is on break\n");
    expect_out(SQUAD("expert status 7 break"), "Gloria Herrero is on break, as before\n");
    expect_out(SQUAD("expert show 7"), "presence  break for ");
    expect_out(SQUAD("expert list --status break"), "Gloria Herrero");
    expect_refused(SQUAD("expert status 7 brake"), 2, "Did you mean: break?");
    cr_expect_eq(
        world_sql_long(&w,
                       "SELECT count(*) FROM expert_event WHERE expert_id = 7 AND kind = 'status' "
                       "AND detail ->> 'reason' = 'lunch' AND actor = 'squad/' || session_user"),
        1);
    world_drop(&w);
}

Test(expert, skills_areas_and_slots_are_replaced_whole)
{
    struct world w = company();
    expect_out(SQUAD("expert skills 7 tv:5,wiring:1"), "Gloria Herrero has tv:5,wiring:1");
    expect_out(SQUAD("expert areas 7 '280, ab 1'"), "serves 280, ab 1");
    expect_out(SQUAD("expert capacity 7 9"), "has 9 slots");
    expect_out(SQUAD("expert show 7"), "skills    tv 5, wiring 1\nareas     280, AB 1\n");
    expect_refused(SQUAD("expert skills 7 tv:5,wirring:1"), 1, "Did you mean: wiring?");
    expect_refused(SQUAD("expert skills 7 tv:6"), 2,
                   "\"tv\" is not a skill with a level from 1 to 5");
    expect_refused(SQUAD("expert skills 7 \"tv'});--:5\""), 2, "is not a skill");
    expect_refused(SQUAD("expert areas 7 28%%"), 2, "is not the beginning of a postcode");
    expect_refused(SQUAD("expert capacity 7 -1"), 2, "");
    expect_refused(SQUAD("expert capacity 7 many"), 2, "is not a number of slots");
    expect_out(SQUAD("expert skills 7 none"), "has none");
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert_skill WHERE expert_id = 7"), 0);
    cr_expect_eq(world_sql_long(&w, "SELECT capacity FROM expert_load WHERE expert_id = 7"), 9);
    world_drop(&w);
}

Test(expert, a_working_week_becomes_shifts_in_the_experts_zone)
{
    struct world w = company();
    expect_out(
        SQUAD("expert week 7 'mon-fri 08:00-16:00, sat 22:00-06:00' --zone America/New_York"),
        "works mon-fri");
    expect_out(SQUAD("expert show 7"),
               "week      Mon 08:00-16:00, Tue 08:00-16:00, Wed 08:00-16:00, Thu "
               "08:00-16:00, Fri 08:00-16:00, Sat 22:00-06:00");
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert_shift WHERE expert_id = 7 AND "
                                    "to_char(lower(during) AT TIME ZONE 'America/New_York', "
                                    "'HH24:MI') NOT IN ('08:00', '22:00')"),
                 0);
    cr_expect_geq(world_sql_long(&w, "SELECT count(*) FROM expert_shift WHERE expert_id = 7"), 11);
    expect_refused(SQUAD("expert week 7 'mon-fri 8-16'"), 2, "is not days with a working time");
    expect_refused(SQUAD("expert week 7 'mon-fri 08:00-25:00'"), 2,
                   "is not days with a working time");
    expect_refused(SQUAD("expert week 7 'mon 08:00-12:00, mon 11:00-16:00'"), 2,
                   "two working times of the week overlap");
    expect_refused(SQUAD("expert week 7 'mon 08:00-12:00' --zone Europe/Madird"), 2,
                   "there is no such time zone");
    expect_out(SQUAD("expert week 7 none"), "works none");
    cr_expect_eq(
        world_sql_long(
            &w, "SELECT count(*) FROM expert_shift WHERE expert_id = 7 AND lower(during) > now()"),
        0);
    world_drop(&w);
}

Test(expert, the_shifts_of_a_day_are_replaced)
{
    struct world w = company();
    expect_out(SQUAD("expert shifts 7 2031-12-24 08:00-12:00,13:00-17:00"),
               "works 08:00-12:00,13:00-17:00 on 2031-12-24");
    expect_out(SQUAD("expert shifts 7 2031-12-31 22:00-06:00"), "works");
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert_shift WHERE expert_id = 7"), 3);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert_shift WHERE upper(during) = "
                                    "'2032-01-01 06:00 Europe/Madrid'"),
                 1);
    expect_refused(SQUAD("expert shifts 7 2031-12-24 08:00-12:00,11:00-13:00"), 2,
                   "two shifts overlap");
    expect_refused(SQUAD("expert shifts 7 24.12.2031 08:00-12:00"), 2, "is not a day as");
    expect_out(SQUAD("expert shifts 7 2031-12-24 none"), "works none");
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert_shift WHERE expert_id = 7"), 1);
    world_drop(&w);
}

Test(expert, an_absence_is_added_shown_and_taken_back)
{
    struct world w = company();
    expect_out(SQUAD("expert absence 7 2031-08-03 2031-08-17 --reason holiday"), "absence 1");
    expect_out(SQUAD("expert absence 7 2026-11-01T10:00 open --reason sick"),
               "until it is taken back: absence 2");
    expect_out(SQUAD("expert show 7"), ", absent\n");
    expect_out(SQUAD("expert back 2"), "absence 2 is taken back");
    expect_refused(SQUAD("expert back 2"), 1, "there is no absence 2");
    expect_refused(SQUAD("expert back two"), 2, "is not the number of an absence");
    expect_refused(SQUAD("expert absence 7 2031-08-17 2031-08-03"), 2, "ends before it begins");
    expect_refused(SQUAD("expert absence 7 2031-08-03 2031-08-17 --reason tired"), 2,
                   "is not a reason");
    world_drop(&w);
}

/* An unset variable in a script must not take an expert off work. */
Test(expert, an_empty_list_takes_nothing_away)
{
    static const char what[] = "SELECT (SELECT count(*) FROM expert_skill WHERE expert_id = 7) > 0 "
                               "AND (SELECT count(*) FROM expert_area WHERE expert_id = 7) > 0 "
                               "AND (SELECT schedule FROM expert WHERE id = 7) = 'always'";
    static const char *const args[] = {"skills 7 ''", "skills 7 ' , '", "areas 7 ''", "week 7 ''",
                                       "shifts 7 2031-12-24 ''"};
    struct world w = company();
    for (size_t i = 0; i < sizeof args / sizeof *args; i++)
        expect_refused(SQUAD("expert %s", args[i]), 2, "Say none if that is meant");
    char *all = world_sql(&w, what);
    cr_expect_str_eq(all, "t");
    free(all);
    expect_out(SQUAD("expert skills 7 none"), "has none");
    world_drop(&w);
}
