#include "message.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct message whole = {.type = "offer",
                                     .notice_id = "n-1",
                                     .assignment_id = "a-1",
                                     .ticket_id = "t-1",
                                     .ref = "7K3QD-9M2XH",
                                     .ticket_type = "tv",
                                     .area = "28013",
                                     .problem = "No picture",
                                     .contract = "gold",
                                     .created_at = "2026-01-02T03:04:05.000006Z",
                                     .customer_name = "Ana Ruiz",
                                     .customer_phone = "+34600123456",
                                     .expert_id = 7,
                                     .expert_name = "Bruno",
                                     .public_url = ""};

static json_t *made(const struct message *m)
{
    char *text = message_make(m);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json, "%s", text);
    free(text);
    return json;
}

static const char *text_at(json_t *json, const char *outer, const char *name)
{
    return json_string_value(json_object_get(outer ? json_object_get(json, outer) : json, name));
}

Test(message, holds_these_bytes_and_no_others)
{
    char *text = message_make(&whole);
    cr_expect_str_eq(text, "{\"type\":\"offer\",\"notice_id\":\"n-1\",\"assignment_id\":\"a-1\","
                           "\"ref\":\"7K3QD-9M2XH\",\"ticket\":{\"id\":\"t-1\",\"type\":\"tv\","
                           "\"area\":\"28013\",\"problem\":\"No picture\",\"contract\":\"gold\","
                           "\"created_at\":\"2026-01-02T03:04:05.000006Z\","
                           "\"customer\":{\"name\":\"Ana Ruiz\",\"phone\":\"+34600123456\"}},"
                           "\"expert\":{\"id\":7,\"name\":\"Bruno\"},"
                           "\"complete_url\":\"/v1/assignments/a-1/complete\"}");
    free(text);
}

Test(message, of_equal_rows_is_equal_to_the_byte)
{
    char *a = message_make(&whole), *b = message_make(&whole);
    cr_expect_str_eq(a, b);
    free(a);
    free(b);
}

Test(message, complete_url_begins_with_the_public_url)
{
    struct message m = whole;
    m.public_url = "https://squad.example.com/api";
    json_t *json = made(&m);
    cr_expect_str_eq(text_at(json, NULL, "complete_url"),
                     "https://squad.example.com/api/v1/assignments/a-1/complete");
    json_decref(json);
}

Test(message, the_link_to_the_offers_page_has_its_secret)
{
    struct message m = whole;
    m.token = "s-1";
    m.public_url = "https://squad.example.com";
    json_t *json = made(&m);
    cr_expect_str_eq(text_at(json, NULL, "offer_url"), "https://squad.example.com/o/a-1.s-1");
    json_decref(json);
}

Test(message, what_the_ticket_lacks_is_left_out)
{
    struct message m = whole;
    m.contract = m.customer_name = m.customer_phone = NULL;
    json_t *json = made(&m), *ticket = json_object_get(json, "ticket");
    cr_expect_null(json_object_get(ticket, "contract"));
    cr_expect_eq(json_object_size(json_object_get(ticket, "customer")), 0);
    cr_expect_not_null(json_object_get(ticket, "customer"));
    json_decref(json);
}

Test(message, words_of_a_customer_stay_data)
{
    struct message m = whole;
    m.problem =
        "\"},\"admin\":true,{\"\\\b\f\n\r\t\x01\x7f </script> \xe2\x80\xa8 \xf0\x9f\x93\xba";
    m.customer_name = "Zo\xc3\xab \"Z\" O'Neill\\";
    json_t *json = made(&m), *ticket = json_object_get(json, "ticket");
    cr_expect_null(json_object_get(json, "admin"));
    cr_expect_str_eq(json_string_value(json_object_get(ticket, "problem")), m.problem);
    cr_expect_str_eq(
        json_string_value(json_object_get(json_object_get(ticket, "customer"), "name")),
        m.customer_name);
    json_decref(json);
}

Test(message, the_longest_problem_is_kept_whole)
{
    enum { LONGEST = 4000 * 4 };
    struct message m = whole;
    char *problem = malloc(LONGEST + 1);
    for (int i = 0; i < LONGEST; i += 4)
        memcpy(problem + i, "\xf0\x9f\x93\xba", 4);
    problem[LONGEST] = '\0';
    m.problem = problem;
    json_t *json = made(&m);
    cr_expect_str_eq(text_at(json, "ticket", "problem"), problem);
    json_decref(json);
    free(problem);
}
