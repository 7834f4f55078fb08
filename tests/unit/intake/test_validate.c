#include "json_place.h"
#include "validate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define WHOLE                                                                                      \
    "{\"type\":\"tv\",\"area\":\"28013\",\"problem\":\"No picture\",\"source\":\"app\","           \
    "\"contract\":\"gold\",\"customer\":{\"ref\":\"C-1\",\"name\":\"Ana\",\"phone\":\"+34 600\","  \
    "\"email\":\"a@b\"}}"

static struct violations v;

static int check(const char *body, struct ticket_fields *f)
{
    return ticket_validate(body, strlen(body), "web", f, &v);
}

static const char *rule_of(const char *pointer)
{
    for (size_t i = 0; i < v.n; i++)
        if (strcmp(v.list[i].pointer, pointer) == 0)
            return v.list[i].detail;
    return NULL;
}

/* A ticket with one member written as JSON; the others are right. */
static int with(const char *member, const char *json)
{
    static char body[70000];
    struct ticket_fields f;
    const char *customer = strncmp(member, "customer.", 9) == 0 ? member + 9 : NULL;
    char type[32] = "\"type\":\"tv\",", area[32] = "\"area\":\"28013\",",
         problem[32] = "\"problem\":\"x\",";
    if (strcmp(member, "type") == 0)
        type[0] = '\0';
    if (strcmp(member, "area") == 0)
        area[0] = '\0';
    if (strcmp(member, "problem") == 0)
        problem[0] = '\0';
    if (customer)
        snprintf(body, sizeof body, "{%s%s%s\"customer\":{\"%s\":%s}}", type, area, problem,
                 customer, json);
    else
        snprintf(body, sizeof body, "{%s%s%s\"%s\":%s}", type, area, problem, member, json);
    int rc = check(body, &f);
    if (rc == 0)
        ticket_fields_free(&f);
    return rc;
}

Test(validate, a_whole_ticket_gives_every_field)
{
    struct ticket_fields f;
    cr_assert_eq(check(WHOLE, &f), 0);
    cr_expect_str_eq(f.type, "tv");
    cr_expect_str_eq(f.area, "28013");
    cr_expect_str_eq(f.problem, "No picture");
    cr_expect_str_eq(f.source, "app");
    cr_expect_str_eq(f.contract, "gold");
    cr_expect_str_eq(f.customer_ref, "C-1");
    cr_expect_str_eq(f.customer_name, "Ana");
    cr_expect_str_eq(f.customer_phone, "+34 600");
    cr_expect_str_eq(f.customer_email, "a@b");
    ticket_fields_free(&f);
}

Test(validate, what_is_optional_may_be_missing_or_null)
{
    struct ticket_fields f;
    cr_assert_eq(check("{\"type\":\"tv\",\"area\":\"1\",\"problem\":\"x\"}", &f), 0);
    cr_expect_str_eq(f.source, "web");
    cr_expect_null(f.contract);
    cr_expect_null(f.customer_name);
    ticket_fields_free(&f);
    cr_assert_eq(check("{\"type\":\"tv\",\"area\":\"1\",\"problem\":\"x\",\"source\":null,"
                       "\"contract\":null,\"customer\":null}",
                       &f),
                 0);
    cr_expect_str_eq(f.source, "web");
    ticket_fields_free(&f);
    cr_expect_eq(with("customer", "{}"), 0);
    cr_expect_eq(with("customer.phone", "null"), 0);
}

Test(validate, every_broken_rule_is_named_at_once)
{
    struct ticket_fields f;
    cr_assert_eq(check("{\"type\":7,\"problem\":\"\",\"emial\":1,\"customer\":{\"email\":\"x\","
                       "\"phone\":\"call me\",\"nmae\":\"\"}}",
                       &f),
                 -1);
    cr_expect_not(v.malformed);
    cr_expect_eq(v.n, 7);
    cr_expect_str_eq(rule_of("/type"), "must be a string");
    cr_expect_str_eq(rule_of("/problem"), "must have 1 to 4000 characters, has 0");
    cr_expect_str_eq(rule_of("/area"), "is required");
    cr_expect_str_eq(rule_of("/emial"), "is not a known member");
    cr_expect_not_null(rule_of("/customer/email"));
    cr_expect_not_null(rule_of("/customer/phone"));
    cr_expect_str_eq(rule_of("/customer/nmae"), "is not a known member");
}

Test(validate, lengths_count_characters_and_not_bytes)
{
    static const struct {
        const char *member;
        int max;
    } fields[] = {{"type", TICKET_TYPE_MAX},
                  {"problem", TICKET_PROBLEM_MAX},
                  {"source", TICKET_SOURCE_MAX},
                  {"contract", TICKET_CONTRACT_MAX},
                  {"customer.ref", TICKET_CUSTOMER_REF_MAX},
                  {"customer.name", TICKET_CUSTOMER_NAME_MAX}};
    static const char *const characters[] = {"a", "\xc3\xb1", "\xe2\x82\xac", "\xf0\x9f\x94\xa7"};
    static char json[4 * TICKET_PROBLEM_MAX + 16];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (size_t c = 0; c < sizeof characters / sizeof *characters; c++)
            for (int over = 0; over < 2; over++) {
                char *to = json;
                *to++ = '"';
                for (int n = 0; n < fields[i].max + over; n++)
                    to = stpcpy(to, characters[c]);
                strcpy(to, "\"");
                cr_expect_eq(with(fields[i].member, json), over ? -1 : 0, "%s of %d %s",
                             fields[i].member, fields[i].max + over, characters[c]);
            }
}

Test(validate, an_area_is_trimmed_and_in_capitals)
{
    struct ticket_fields f;
    cr_assert_eq(check("{\"type\":\"tv\",\"area\":\"  sw1a 1aa \",\"problem\":\"x\"}", &f), 0);
    cr_expect_str_eq(f.area, "SW1A 1AA");
    ticket_fields_free(&f);
    static const char *const bad[] = {
        "\"\"",  "\"   \"", "\"12345678901234567\"", "\"28\\u00e913\"", "\"28_13\"",
        "28013", "[]",      "\"28\\n013\"",          "\"\\u0662\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(with("area", bad[i]), -1, "%s", bad[i]);
        cr_expect_not_null(rule_of("/area"), "%s", bad[i]);
    }
    cr_expect_eq(with("area", "\"1234567890123456\""), 0);
}

Test(validate, one_line_has_no_control_characters_and_is_not_blank)
{
    static const char *const bad[] = {"\"a\\nb\"", "\"a\\tb\"", "\"\\u007f\"", "\"  \"",
                                      "\"\\u0001\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(with("type", bad[i]), -1, "%s", bad[i]);
        cr_expect_eq(with("customer.name", bad[i]), -1, "%s", bad[i]);
    }
}

Test(validate, prose_may_have_lines_and_tabs)
{
    cr_expect_eq(with("problem", "\"one\\r\\n\\ttwo\""), 0);
    cr_expect_eq(with("problem", "\"\\r\\n\\t \""), -1);
    cr_expect_eq(with("problem", "\"a\\u001bb\""), -1);
    cr_expect_eq(with("problem", "\"a\\u000bb\""), -1);
}

Test(validate, telephone_numbers_and_addresses)
{
    static const char *const phones[] = {"\"+34 600 12-34\"", "\"(0)1/2.3\"", "\"1\""};
    static const char *const no_phones[] = {"\"call me\"", "\"+\"", "\"1x\"", "\"\"",
                                            "\"\\u0661\""};
    static const char *const emails[] = {"\"a@b\"", "\"a.b+c@d.example\"", "\"\\u00f1@b.es\""};
    static const char *const no_emails[] = {"\"ab\"",    "\"a@@b\"",  "\"@b\"",    "\"a@\"",
                                            "\"a b@c\"", "\"a@b@c\"", "\"a@b\\n\""};
    for (size_t i = 0; i < sizeof phones / sizeof *phones; i++)
        cr_expect_eq(with("customer.phone", phones[i]), 0, "%s", phones[i]);
    for (size_t i = 0; i < sizeof no_phones / sizeof *no_phones; i++)
        cr_expect_eq(with("customer.phone", no_phones[i]), -1, "%s", no_phones[i]);
    for (size_t i = 0; i < sizeof emails / sizeof *emails; i++)
        cr_expect_eq(with("customer.email", emails[i]), 0, "%s", emails[i]);
    for (size_t i = 0; i < sizeof no_emails / sizeof *no_emails; i++)
        cr_expect_eq(with("customer.email", no_emails[i]), -1, "%s", no_emails[i]);
}

Test(validate, what_is_not_json_says_where)
{
    static const char *const bad[] = {
        "",      "{",          "{\"a\":1,}",          "{'a':1}",          "nul",
        "{} {}", "{\"a\":01}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}"};
    struct ticket_fields f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(check(bad[i], &f), -1, "%s", bad[i]);
        cr_expect(v.malformed, "%s", bad[i]);
        cr_expect_eq(v.n, 1);
    }
    static const char *const not_objects[] = {"[]"};
    for (size_t i = 0; i < sizeof not_objects / sizeof *not_objects; i++) {
        cr_assert_eq(check(not_objects[i], &f), -1);
        cr_expect_not(v.malformed);
        cr_expect_str_eq(rule_of(""), "must be a JSON object");
    }
}

Test(validate, a_member_twice_is_refused_and_not_the_last_taken)
{
    struct ticket_fields f;
    cr_expect_eq(check("{\"type\":\"tv\",\"area\":\"1\",\"problem\":\"x\",\"type\":\"tv\"}", &f),
                 -1);
    cr_expect(v.malformed);
    cr_expect(strstr(v.list[0].detail, "twice"));
}

Test(validate, nesting_is_refused_beyond_32_levels)
{
    char body[200];
    struct ticket_fields f;
    for (int depth = 31; depth <= 33; depth++) {
        char *to = stpcpy(body, "{\"x\":");
        for (int i = 1; i < depth; i++)
            *to++ = '[';
        for (int i = 1; i < depth; i++)
            *to++ = ']';
        strcpy(to, "}");
        cr_assert_eq(check(body, &f), -1);
        cr_expect_eq(v.malformed, depth > JSON_DEPTH_MAX, "%d levels", depth);
    }
    cr_expect_eq(
        with("problem", "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ \\\"[[[[[[[[[[[\""), 0);
}

Test(validate, more_than_256_members_and_elements_are_refused)
{
    char body[2000];
    struct ticket_fields f;
    for (int commas = 255; commas <= 256; commas++) {
        char *to = stpcpy(body, "{\"x\":[0");
        for (int i = 0; i < commas; i++)
            to = stpcpy(to, ",0");
        strcpy(to, "]}");
        cr_assert_eq(check(body, &f), -1);
        cr_expect_eq(v.malformed, commas == 256, "%d commas", commas);
    }
    cr_expect_eq(with("problem", "\"a,b,c\""), 0);
}

Test(validate, what_is_not_json_names_the_member_it_stands_in)
{
    static const struct {
        const char *body, *pointer;
    } bad[] = {
        {"{\"type\":\"\\ud800\"}", "/type"},
        {"{\"type\":\"\xff\"}", "/type"},
        {"{\"type\":\"tv\",\"area\":\"\\u0000\"}", "/area"},
        {"{\"type\":\"tv\",\"problem\":tv}", "/problem"},
        {"{\"customer\":{\"name\":\"\xed\xa0\x80\"}}", "/customer/name"},
        {"{\"customer\":{\"ref\":\"x\"},\"problem\":\"\n\"}", "/problem"},
        {"{\"type\":\"tv\",\"\\ud800\":1}", ""},
        {"{\"typo\":\"\xff\"}", ""},
        {"{\"customer\":{\"x\":{\"name\":\"\xff\"}}}", ""},
        {"[{\"type\":\"\xff\"}]", ""},
        {"}}}}\"type\":", ""},
    };
    struct ticket_fields f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(check(bad[i].body, &f), -1);
        cr_expect(v.malformed);
        cr_expect_str_eq(v.list[0].pointer, bad[i].pointer, "%s", bad[i].body);
    }
}

Test(validate, an_unknown_member_s_pointer_is_escaped_and_cut_between_characters)
{
    struct ticket_fields f;
    cr_expect_eq(check("{\"a/b~c\":1}", &f), -1);
    cr_expect_not_null(rule_of("/a~1b~0c"));
    for (int pad = 0; pad < 5; pad++) {
        char body[400] = "{\"";
        for (int i = 0; i < pad; i++)
            strcat(body, "x");
        for (int i = 0; i < 60; i++)
            strcat(body, "\xf0\x9f\x94\xa7");
        strcat(body, "\":1}");
        cr_expect_eq(check(body, &f), -1);
        for (size_t i = 0; i < v.n; i++) {
            json_t *valid = json_string(v.list[i].pointer);
            cr_expect(valid, "the pointer is UTF-8");
            json_decref(valid);
        }
    }
}

Test(validate, more_violations_than_fit_are_counted_as_more)
{
    char body[2000] = "{\"a\":0";
    struct ticket_fields f;
    for (int i = 0; i < VIOLATIONS_MAX + 5; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), ",\"m%d\":0", i);
    strcat(body, "}");
    cr_assert_eq(check(body, &f), -1);
    cr_expect_eq(v.n, VIOLATIONS_MAX);
    cr_expect(v.more);
}

Test(validate, keys_and_calls)
{
    char longest[257];
    memset(longest, 'k', 256);
    longest[256] = '\0';
    cr_expect_not(idempotency_key_valid(longest));
    longest[255] = '\0';
    cr_expect(idempotency_key_valid(longest));
    cr_expect_not(idempotency_key_valid(""));
    cr_expect_not(idempotency_key_valid("\xc3\xa9"));
    cr_expect_not(idempotency_key_valid("a\tb"));
    cr_expect(idempotency_key_valid("a b"));
    cr_expect(call_provider_valid("acme_1.x-y"));
    cr_expect_not(call_provider_valid(""));
    cr_expect_not(call_provider_valid("a b"));
    cr_expect_not(call_provider_valid("123456789012345678901234567890123"));
    cr_expect(call_id_valid("c/7@h"));
    cr_expect_not(call_id_valid("c 7"));
    cr_expect_not(call_id_valid(""));
}
