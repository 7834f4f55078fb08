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

Test(client, a_key_that_could_not_be_shown_is_a_failure)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    expect(SQUAD("client add web >/dev/full #"), 1, "");
    expect(SQUAD("client list --json >/dev/full #"), 1, "");
    expect(SQUAD("client list >/dev/null #"), 0, "");
    world_drop(&w);
}
