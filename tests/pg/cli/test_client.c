#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SQUAD(...) world_squad(&w, "TZ=UTC", __VA_ARGS__)

static void expect(struct ran r, int code, const char *text)
{
    cr_expect_eq(r.code, code, "exit %d\n%s%s", r.code, r.out, r.err);
    cr_expect(strstr(r.out, text) || strstr(r.err, text), "\"%s\" is not in:\n%s%s", text, r.out,
              r.err);
    ran_free(&r);
}

Test(client, a_rate_is_changed_and_goes_back_to_the_default)
{
    static const char rates[] = "SELECT coalesce(rate_per_s, 0) * 1000 + coalesce(burst, 0) "
                                "FROM client WHERE name = 'spa'";
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    expect(SQUAD("client add spa --rate 50 --burst 70"), 0, "shown this once");
    expect(SQUAD("client change spa"), 2, "say what to change");
    expect(SQUAD("client change spa --origin none"), 0, "may now");
    cr_expect_eq(world_sql_long(&w, rates), 50070, "both are as they were");
    expect(SQUAD("client change spa --rate 60"), 0, "may now");
    cr_expect_eq(world_sql_long(&w, rates), 60070);
    expect(SQUAD("client change spa --rate 0 --scope form"), 0, "may now: form");
    cr_expect_eq(world_sql_long(&w, rates), 70);
    expect(SQUAD("client change spa --burst 0"), 0, "may now");
    cr_expect_eq(world_sql_long(&w, rates), 0);
    world_drop(&w);
}

Test(client, the_list_lines_up_whatever_the_names)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    expect(SQUAD("client list"), 0, "there is no client; squad client add");
    expect(SQUAD("client add Müller --scope form"), 0, "shown");
    expect(SQUAD("client add a-name-of-more-than-20-characters --rate 5 --scope form"), 0, "shown");
    struct ran r = SQUAD("client list");
    const char *titles = strstr(r.out, "may"), *first = strchr(r.out, '\n');
    cr_assert(titles && first, "%s", r.out);
    long column = titles - r.out;
    char *line = strstr(r.out, "  a-name-of"), *other = strstr(r.out, "  Müller");
    cr_assert(line && other, "%s", r.out);
    cr_expect(strncmp(line + column, "form", 4) == 0, "%s", r.out);
    cr_expect(strncmp(other + column + 1, "form", 4) == 0, "ü is two bytes:\n%s", r.out);
    ran_free(&r);
    world_drop(&w);
}

Test(client, a_key_that_could_not_be_shown_is_a_failure)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    expect(SQUAD("client add web >/dev/full #"), 1, "");
    expect(SQUAD("client list --json >/dev/full #"), 1, "");
    expect(SQUAD("client list >/dev/null #"), 0, "");
    world_drop(&w);
}
