#include "limit.h"

#include <criterion/criterion.h>

static const struct limit_rate rate = {.per_s = 10, .burst = 5};

static bool take(struct limit *l, const char *who, uint64_t at_ms, struct limit_state *s)
{
    return limit_take(l, limit_key(l, who, 1), rate, at_ms * 1000, s);
}

Test(limit, a_burst_goes_through_and_then_the_rate)
{
    struct limit *l = limit_new();
    struct limit_state s;
    for (int i = 0; i < 5; i++) {
        cr_expect(take(l, "a", 1000, &s));
        cr_expect_eq(s.left, 4 - i);
    }
    cr_expect_not(take(l, "a", 1000, &s));
    cr_expect_eq(s.left, 0);
    cr_expect_eq(s.wait_s, 1);
    cr_expect_not(take(l, "a", 1099, &s));
    cr_expect(take(l, "a", 1100, &s));
    cr_expect_not(take(l, "a", 1100, &s));
    cr_expect_eq(s.burst, 5);
    cr_expect_eq(s.window_s, 1);
    limit_free(l);
}

Test(limit, refused_requests_cost_nothing_and_a_quiet_bucket_fills_up)
{
    struct limit *l = limit_new();
    struct limit_state s;
    for (int i = 0; i < 50; i++)
        take(l, "a", 1000, &s);
    for (int i = 0; i < 5; i++)
        cr_expect(take(l, "a", 1500, &s), "%d", i);
    cr_expect_not(take(l, "a", 1500, &s));
    for (int i = 0; i < 5; i++)
        cr_expect(take(l, "a", 100000, &s));
    cr_expect_not(take(l, "a", 100000, &s), "a bucket holds no more than the burst");
    limit_free(l);
}

Test(limit, every_key_has_a_bucket_of_its_own)
{
    struct limit *l = limit_new();
    struct limit_state s;
    for (int i = 0; i < 6; i++)
        take(l, "a", 1000, &s);
    cr_expect_not(take(l, "a", 1000, &s));
    cr_expect(take(l, "b", 1000, &s));
    limit_free(l);
}

Test(limit, a_flood_of_keys_does_not_free_the_one_that_is_over)
{
    struct limit *l = limit_new();
    struct limit_state s;
    for (int i = 0; i < 6; i++)
        take(l, "a", 1000, &s);
    for (uint32_t n = 0; n < 200000; n++)
        limit_take(l, limit_key(l, &n, sizeof n), rate, 1000 * 1000, &s);
    cr_expect_not(take(l, "a", 1000, &s));
    limit_free(l);
}

Test(limit, no_rate_is_no_limit)
{
    struct limit *l = limit_new();
    struct limit_state s;
    for (int i = 0; i < 1000; i++)
        cr_expect(limit_take(l, 7, (struct limit_rate){0}, 1, &s));
    limit_free(l);
}
