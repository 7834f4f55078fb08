#include "scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void scene_make(struct scene *s)
{
    world_make(&s->w, WORLD_MIGRATED | WORLD_TOPICS | WORLD_SEEDED);
    plant_ticket(&s->w, 1, false, &s->t[0]);
    plant_ticket(&s->w, 2, false, &s->t[1]);
    plant_ticket(&s->w, 12, true, &s->t[2]);
}

struct verdict scene_verify(struct scene *s, const char *args)
{
    struct ran r = world_squad(&s->w, "", "verify --json %s", args);
    struct verdict v = {.code = r.code, .facts = json_loads(r.out, 0, NULL), .err = r.err};
    cr_assert_not_null(v.facts, "exit %d\n%s\n%s", r.code, r.out, r.err);
    free(r.out);
    return v;
}

long verdict_fact(const struct verdict *v, const char *name)
{
    json_t *value = json_object_get(v->facts, name);
    cr_assert(json_is_integer(value), "%s is missing", name);
    return (long)json_integer_value(value);
}

void verdict_free(struct verdict *v)
{
    json_decref(v->facts);
    free(v->err);
}

static const char *const checks[] = {"lost",         "duplicated",      "reordered",
                                     "phantom",      "double_assigned", "overloaded",
                                     "wrong_expert", "unnotified",      "stuck"};

void scene_expect(struct scene *s, const char *args, const char *what, long n, const char *what2,
                  long n2)
{
    struct verdict v = scene_verify(s, args);
    bool ok = !n && !n2;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        long wanted = strcmp(checks[i], what) == 0 ? n : strcmp(checks[i], what2) == 0 ? n2 : 0;
        cr_expect_eq(verdict_fact(&v, checks[i]), wanted, "%s is %ld, not %ld\n%s", checks[i],
                     verdict_fact(&v, checks[i]), wanted, v.err);
    }
    cr_expect_eq(v.code, ok ? 0 : 1, "exit %d\n%s", v.code, v.err);
    cr_expect_eq(json_is_true(json_object_get(v.facts, "ok")), ok);
    verdict_free(&v);
}

void scene_clean(struct scene *s, const char *args)
{
    scene_expect(s, args, "", 0, "", 0);
}

void scene_spoil(struct scene *s, const char *sql)
{
    free(world_sql(&s->w, "SET session_replication_role = replica"));
    free(world_sql(&s->w, "%s", sql));
    free(world_sql(&s->w, "SET session_replication_role = origin"));
}
