#include "members.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

Test(members, a_time_is_one_that_postgresql_takes)
{
    static const char *const good[] = {
        "2026-11-24T08:00:00Z",      "0001-01-01T00:00:00Z",
        "2024-02-29T23:59:59.9Z",    "2026-11-24T24:00:00Z",
        "2026-11-24T24:00:00.000Z",  "2026-11-24T08:00:00+15:59",
        "2026-11-24T08:00:00-15:59", "2026-11-24T08:00:00.123456789-00:30"};
    static const char *const bad[] = {
        "",
        "2026-11-24",
        "2026-11-24T08:00",
        "2026-11-24T08:00:00",
        "2026-11-24 08:00:00Z",
        "0000-11-24T08:00:00Z",
        "2026-00-24T08:00:00Z",
        "2026-13-24T08:00:00Z",
        "2026-11-00T08:00:00Z",
        "2026-11-31T08:00:00Z",
        "2025-02-29T08:00:00Z",
        " 202-11-24T08:00:00Z",
        "+202-11-24T08:00:00Z",
        "2026- 1-24T08:00:00Z",
        "2026-11-24T 8:00:00Z",
        "2026-11-24T24:00:30Z",
        "2026-11-24T24:01:00Z",
        "2026-11-24T24:00:00.5Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T08:60:00Z",
        "2026-11-24T08:00:60Z",
        "2026-11-24T08:00:00.Z",
        "2026-11-24T08:00:00.0123456789Z",
        "2026-11-24T08:00:00+16:00",
        "2026-11-24T08:00:00-24:00",
        "2026-11-24T08:00:00+01:60",
        "2026-11-24T08:00:00+0100",
        "2026-11-24T08:00:00+01:000",
        "2026-11-24T08:00:00z",
        "2026-11-24T08:00:00ZZ",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect(member_time(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(member_time(bad[i]), "%s", bad[i]);
}

Test(members, a_day_and_a_clock_have_their_digits_in_their_places)
{
    static const char *const bad_days[] = {"",           "2026-11-2",  "2026-11-241", " 202-11-24",
                                           "0000-01-01", "2026-02-30", "2026-1-124",  "2026/11/24"};
    static const char *const bad_clocks[] = {"",      "8:00",  "08:0", "08:000",
                                             " 8:00", "24:01", "08-00"};
    cr_expect(member_day("2026-11-24") && member_day("0001-01-01"));
    cr_expect(member_clock("00:00") && member_clock("24:00"));
    cr_expect(member_local_time("2026-11-24T08:00"));
    cr_expect_not(member_local_time("2026-11-24T08:00:00"));
    for (size_t i = 0; i < sizeof bad_days / sizeof *bad_days; i++)
        cr_expect_not(member_day(bad_days[i]), "%s", bad_days[i]);
    for (size_t i = 0; i < sizeof bad_clocks / sizeof *bad_clocks; i++)
        cr_expect_not(member_clock(bad_clocks[i]), "%s", bad_clocks[i]);
}

static const char *always_wrong(const char *name, const json_t *value)
{
    (void)name;
    (void)value;
    return "is wrong";
}

static const struct member table[] = {
    {.name = "status", .kind = MEMBER_CHOICE, .choices = "available, busy, break or offline"},
    {.name = "skills", .kind = MEMBER_OBJECT, .check = always_wrong},
};

/* The status of the answer, 0 when the body was taken, and the first pointer. */
static unsigned try_body(const char *body, const char **ret_value, char pointer[200])
{
    const char *value[MEMBERS_MAX];
    struct request *r = request_new(NULL);
    text_str(&r->body, body);
    members_read(r, table, 2, value);
    unsigned status = r->reply.status;
    *ret_value = "";
    if (!status && value[0])
        *ret_value = strcmp(value[0], "busy") == 0 ? "busy" : "another";
    if (status) {
        json_error_t e;
        json_t *j = json_loads(r->reply.body.data, 0, &e);
        cr_assert(j, "%s: %s", r->reply.body.data, e.text);
        json_t *first = json_array_get(json_object_get(j, "errors"), 0);
        strcpy(pointer, json_string_value(json_object_get(first, "pointer")));
        json_decref(j);
    }
    request_unref(r);
    return status;
}

Test(members, a_choice_is_one_of_them)
{
    static const char *const bad[] = {
        "",      "or",   "avail", "available, busy", "busy, break", "busy,", "break or offline",
        " busy", "busy "};
    char body[64], pointer[200];
    const char *value;
    cr_expect_eq(try_body("{\"status\":\"busy\"}", &value, pointer), 0);
    cr_expect_str_eq(value, "busy");
    cr_expect_eq(try_body("{\"status\":\"offline\"}", &value, pointer), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(body, sizeof body, "{\"status\":\"%s\"}", bad[i]);
        cr_expect_eq(try_body(body, &value, pointer), 422, "%s", bad[i]);
        cr_expect_str_eq(pointer, "/status");
    }
}

Test(members, a_pointer_to_a_long_name_is_utf_8_and_escaped)
{
    char pointer[200];
    const char *value;
    for (int lead = 0; lead < 3; lead++) {
        char body[400] = "{\"skills\":{\"";
        memset(body + strlen(body), 'x', (size_t)lead);
        for (int i = 0; i < 40; i++)
            strcat(body, "ñ");
        strcat(body, "\":1}}");
        cr_expect_eq(try_body(body, &value, pointer), 422);
        cr_expect(strncmp(pointer, "/skills/", 8) == 0, "%s", pointer);
    }
    cr_expect_eq(try_body("{\"skills\":{\"a/b~c\":1}}", &value, pointer), 422);
    cr_expect_str_eq(pointer, "/skills/a~1b~0c");
}
