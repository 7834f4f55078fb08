#include "policy.h"

#include <criterion/criterion.h>

static const struct retry_policy policy = {
    .max_attempts = 5, .base_ms = 500, .cap_ms = 60000, .timeout_ms = 5000};

Test(policy, every_2xx_is_delivered)
{
    for (long status = 200; status < 300; status++)
        cr_expect_eq(policy_outcome(status), OUTCOME_DELIVERED, "%ld", status);
}

Test(policy, a_4xx_is_refused_for_good_but_three_of_them_ask_for_another_try)
{
    for (long status = 400; status < 500; status++) {
        bool again = status == 408 || status == 425 || status == 429;
        cr_expect_eq(policy_outcome(status), again ? OUTCOME_RETRY : OUTCOME_REFUSED, "%ld",
                     status);
    }
}

Test(policy, no_answer_a_redirect_and_a_5xx_are_tried_again)
{
    static const long again[] = {0, 100, 101, 199, 300, 301, 307, 399, 500, 503, 599, 600, 999};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        cr_expect_eq(policy_outcome(again[i]), OUTCOME_RETRY, "%ld", again[i]);
}

static void expect_between(int attempt, int64_t least, int64_t most)
{
    cr_expect_eq(policy_delay_ms(&policy, attempt, 0, 0), least, "after %d", attempt);
    cr_expect_eq(policy_delay_ms(&policy, attempt, UINT32_MAX, 0), most, "after %d", attempt);
    for (uint32_t random = 0; random < UINT32_MAX - 100000000; random += 99999999) {
        int64_t delay = policy_delay_ms(&policy, attempt, random, 0);
        cr_expect(delay >= least && delay <= most, "after %d: %lld", attempt, (long long)delay);
    }
}

Test(policy, the_delay_is_between_half_and_the_whole_of_a_doubling_one)
{
    expect_between(1, 250, 500);
    expect_between(2, 500, 1000);
    expect_between(3, 1000, 2000);
    expect_between(7, 16000, 32000);
}

Test(policy, the_delay_stops_at_the_cap_however_many_attempts_there_were)
{
    expect_between(8, 30000, 60000);
    expect_between(100, 30000, 60000);
    expect_between(INT32_MAX, 30000, 60000);
}

Test(policy, the_largest_policy_of_the_table_does_not_overflow)
{
    const struct retry_policy largest = {
        .max_attempts = 100, .base_ms = 3600000, .cap_ms = 86400000, .timeout_ms = 60000};
    cr_expect_eq(policy_delay_ms(&largest, 100, UINT32_MAX, INT64_MAX), 86400000);
}

Test(policy, a_base_above_the_cap_is_the_cap)
{
    const struct retry_policy odd = {.max_attempts = 2, .base_ms = 1000, .cap_ms = 1};
    cr_expect_eq(policy_delay_ms(&odd, 1, UINT32_MAX, 0), 1);
    cr_expect_eq(policy_delay_ms(&odd, 1, 0, 0), 0);
}

Test(policy, retry_after_is_kept_to_when_it_is_longer_and_up_to_the_cap)
{
    cr_expect_eq(policy_delay_ms(&policy, 1, UINT32_MAX, 7), 7000);
    cr_expect_eq(policy_delay_ms(&policy, 1, UINT32_MAX, 60), 60000);
    cr_expect_eq(policy_delay_ms(&policy, 1, UINT32_MAX, 61), 60000);
    cr_expect_eq(policy_delay_ms(&policy, 1, UINT32_MAX, INT64_MAX), 60000);
}

Test(policy, a_shorter_or_senseless_retry_after_changes_nothing)
{
    cr_expect_eq(policy_delay_ms(&policy, 3, UINT32_MAX, 1), 2000);
    cr_expect_eq(policy_delay_ms(&policy, 3, UINT32_MAX, -5), 2000);
    cr_expect_eq(policy_delay_ms(&policy, 3, UINT32_MAX, INT64_MIN), 2000);
}
