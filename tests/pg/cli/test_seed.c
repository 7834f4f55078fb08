#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char fingerprint[] =
    "SELECT md5(string_agg(x, E'\\n' ORDER BY x)) FROM ("
    "SELECT e::text FROM expert e UNION ALL SELECT l::text FROM expert_load l UNION ALL "
    "SELECT s::text FROM expert_skill s UNION ALL SELECT a::text FROM expert_area a UNION ALL "
    "SELECT c::text FROM expert_contact c UNION ALL SELECT c::text FROM client c UNION ALL "
    "SELECT o::text FROM outbox o) AS all_rows (x)";

Test(seed, twice_is_as_once)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    char *before = world_sql(&w, fingerprint);
    struct ran r = world_squad(&w, "", "seed --api-key test-key");
    char *after = world_sql(&w, fingerprint);
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_str_eq(before, after);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert"), 12);
    cr_expect_eq(world_sql_long(&w, "SELECT sum(capacity) FROM expert_load"), 30);
    free(before);
    free(after);
    ran_free(&r);
    world_drop(&w);
}

Test(seed, a_key_is_made_once_shown_once_and_stored_as_its_hash)
{
    struct world w;
    char key[64] = "";
    world_make(&w, WORLD_MIGRATED);
    struct ran r = world_squad(&w, "", "seed");
    const char *at = strstr(r.out, "sq_");
    cr_assert(at && sscanf(at, "%63s", key) == 1, "%s", r.out);
    cr_expect_eq(world_sql_long(&w,
                                "SELECT count(*) FROM client WHERE name = 'demo' AND "
                                "key_hash = sha256('%s')",
                                key),
                 1);
    struct ran again = world_squad(&w, "", "seed");
    cr_expect_null(strstr(again.out, "sq_"), "%s", again.out);
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM client WHERE key_hash = sha256('%s')", key), 1);
    ran_free(&r);
    ran_free(&again);
    world_drop(&w);
}

Test(seed, key_secret_and_url_come_from_the_environment)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    struct ran r = world_squad(&w,
                               "SQUAD_API_KEY=given-key SQUAD_HOOK_URL=http://h:1/ SQUAD_WEBHOOK_"
                               "SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
                               "seed");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect_null(strstr(r.out, "given-key"), "a given key is not shown");
    cr_expect_eq(
        world_sql_long(&w, "SELECT count(*) FROM client WHERE key_hash = sha256('given-key')"), 1);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert_contact WHERE address = "
                                    "'http://h:1/experts/' || expert_id AND secret = "
                                    "'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3'"),
                 12);
    ran_free(&r);
    world_drop(&w);
}

Test(seed, wrong_values_are_refused_with_the_rule)
{
    static const struct {
        const char *env, *says;
    } rows[] = {{"SQUAD_WEBHOOK_SECRET=whsec_abc", "whsec_ and 24 to 64 bytes"},
                {"SQUAD_WEBHOOK_SECRET=x", "whsec_ and 24 to 64 bytes"},
                {"SQUAD_HOOK_URL=ftp://h", "must begin with http"},
                {"SQUAD_API_KEY=short", "8 to 256 visible"}};
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ran r = world_squad(&w, rows[i].env, "seed");
        cr_expect_eq(r.code, 2, "%s: %d", rows[i].env, r.code);
        cr_expect(strstr(r.err, rows[i].says), "%s: %s", rows[i].env, r.err);
        ran_free(&r);
    }
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM expert"), 0);
    world_drop(&w);
}

Test(seed, a_capacity_changed_by_hand_stays_unless_asked)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    world_sql(&w, "UPDATE expert_load SET capacity = 1");
    struct ran r = world_squad(&w, "", "seed");
    cr_expect_eq(world_sql_long(&w, "SELECT sum(capacity) FROM expert_load"), 12);
    ran_free(&r);
    r = world_squad(&w, "", "seed --capacity 500");
    cr_expect_eq(world_sql_long(&w, "SELECT sum(capacity) FROM expert_load"), 6000);
    ran_free(&r);
    world_drop(&w);
}

Test(seed, a_database_with_its_own_experts_is_left_alone)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    world_sql(&w, "INSERT INTO expert (id, name) VALUES (1, 'Someone')");
    struct ran r = world_squad(&w, "", "seed");
    cr_expect_neq(r.code, 0);
    cr_expect(strstr(r.err, "experts of its own"), "%s", r.err);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM skill"), 0);
    ran_free(&r);
    world_drop(&w);
}

Test(seed, an_expert_added_later_gets_a_free_number)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    cr_expect_gt(world_sql_long(&w, "INSERT INTO expert (name) VALUES ('New') RETURNING id"), 12);
    world_drop(&w);
}

Test(seed, a_revoked_client_gets_no_key_and_no_word_that_it_keeps_one)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED | WORLD_SEEDED);
    free(world_sql(&w, "UPDATE client SET revoked_at = now() WHERE name = 'demo'"));
    static const char *const envs[] = {"", "SQUAD_API_KEY=another-key-of-the-client"};
    for (int i = 0; i < 2; i++) {
        struct ran r = world_squad(&w, envs[i], "seed");
        cr_expect_eq(r.code, 1, "exit %d\n%s", r.code, r.out);
        cr_expect_not_null(strstr(r.err, "client \"demo\" is revoked"), "%s", r.err);
        ran_free(&r);
    }
    world_drop(&w);
}
