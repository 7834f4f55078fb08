#include "problem.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static json_t *written(enum problem p, const char *detail, const struct violations *v)
{
    struct text t = {0};
    problem_write(&t, p, detail, v, "req-1");
    json_t *j = json_loads(t.data, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(j, "%s", t.data);
    text_free(&t);
    return j;
}

static const char *member(json_t *j, const char *name)
{
    return json_string_value(json_object_get(j, name));
}

Test(problem, every_one_has_a_status_a_type_of_its_own_and_a_title)
{
    const char *types[PROBLEM_COUNT];
    json_t *docs[PROBLEM_COUNT];
    for (int p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        json_t *j = docs[p] = written((enum problem)p, "because", NULL);
        json_int_t status = json_integer_value(json_object_get(j, "status"));
        cr_assert(status >= 400 && status < 600, "problem %d", p);
        cr_expect_eq(status, problem_status((enum problem)p));
        types[p] = member(j, "type");
        cr_assert(types[p] && strncmp(types[p], "/problems/", 10) == 0 && types[p][10]);
        cr_expect(member(j, "title") && member(j, "title")[0]);
        cr_expect_str_eq(member(j, "detail"), "because");
        cr_expect_str_eq(member(j, "request_id"), "req-1");
        cr_expect_null(json_object_get(j, "errors"));
        for (int q = PROBLEM_NONE + 1; q < p; q++)
            cr_expect_str_neq(types[p], types[q]);
    }
    for (int p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++)
        json_decref(docs[p]);
}

Test(problem, names_every_wrong_field_by_its_pointer)
{
    struct violations v = {.n = 2,
                           .list = {{"/customer/email", "must be an address like name@example.com"},
                                    {"/a\"b\n", "is not a known member"}}};
    json_t *j = written(PROBLEM_VALIDATION, "see errors", &v);
    json_t *errors = json_object_get(j, "errors");
    cr_assert_eq(json_array_size(errors), 2);
    cr_expect_str_eq(member(json_array_get(errors, 0), "pointer"), "/customer/email");
    cr_expect_str_eq(member(json_array_get(errors, 0), "detail"), v.list[0].detail);
    cr_expect_str_eq(member(json_array_get(errors, 1), "pointer"), "/a\"b\n");
    json_decref(j);
}
