#include "request.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Test(request, takes_over_the_client_s_ids)
{
    struct request *r = request_new(NULL);
    r->gate.request_id = "web-1";
    r->gate.traceparent = trace;
    request_identify(r);
    cr_expect_str_eq(r->request_id, "web-1");
    cr_expect_str_eq(r->traceparent, trace);
    request_unref(r);
}

Test(request, makes_ids_when_there_are_none_or_bad_ones)
{
    char ids[2][65];
    for (int i = 0; i < 2; i++) {
        struct request *r = request_new(NULL);
        r->gate.request_id = i ? "two words" : NULL;
        r->gate.traceparent = i ? "00-garbage" : NULL;
        request_identify(r);
        cr_expect_eq(strlen(r->request_id), 32);
        cr_expect(request_id_valid(r->request_id));
        cr_expect(traceparent_valid(r->traceparent), "%s", r->traceparent);
        memcpy(ids[i], r->request_id, sizeof ids[i]);
        request_unref(r);
    }
    cr_expect_str_neq(ids[0], ids[1]);
}

Test(request, from_the_pool_is_as_new)
{
    struct request *r = request_new(NULL);
    text_str(&r->body, "old");
    reply_problem(r, PROBLEM_BUSY, "old");
    r->client_id = 7;
    request_unref(r);
    struct request *again = request_new(NULL);
    cr_expect_eq(again, r, "this is the one from the pool");
    cr_expect_eq(again->body.len, 0);
    cr_expect_eq(again->reply.body.len, 0);
    cr_expect_eq(again->reply.status, 0);
    cr_expect_eq(again->client_id, 0);
    cr_expect_eq(again->reply.heads.len, 0);
    request_unref(again);
    request_pool_free();
}

Test(request, lives_until_its_last_reference_is_given_back)
{
    struct request *r = request_new(NULL);
    request_ref(r);
    request_unref(r);
    struct request *other = request_new(NULL);
    cr_expect_neq(other, r);
    request_unref(other);
    request_unref(r);
    request_pool_free();
}

Test(request, what_is_not_available_says_when_to_come_back)
{
    struct request *r = request_new(NULL);
    reply_problem(r, PROBLEM_UNAVAILABLE, "no");
    cr_expect_eq(r->reply.status, 503);
    cr_expect_str_eq(reply_get_header(&r->reply, "Retry-After"), "1");
    cr_expect_eq(r->reply.type, TYPE_PROBLEM);
    request_unref(r);
}

Test(request, violations_are_422_and_what_is_not_json_400)
{
    struct request *r = request_new(NULL);
    struct violations v = {.n = 1, .list = {{"/area", "is required"}}};
    reply_violations(r, &v);
    cr_expect_eq(r->reply.status, 422);
    json_t *j = json_loads(r->reply.body.data, 0, NULL);
    cr_expect_str_eq(json_string_value(json_object_get(j, "detail")), "/area is required.");
    json_decref(j);
    v.malformed = true;
    reply_violations(r, &v);
    cr_expect_eq(r->reply.status, 400);
    request_unref(r);
}
