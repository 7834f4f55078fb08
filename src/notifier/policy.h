/*
 * policy.h - what an attempt's outcome means, and when to try again. Pure.
 */
#pragma once

#include <stdint.h>

struct retry_policy { /* a row of squad.retry_policy */
    int max_attempts;
    int base_ms, cap_ms, timeout_ms;
};

enum outcome {
    OUTCOME_DELIVERED,
    OUTCOME_RETRY,   /* this attempt failed; another one may do */
    OUTCOME_REFUSED, /* no other attempt can do */
};

/* status: of HTTP, 0 when no answer came. 2xx: delivered. 4xx but 408, 425 and 429: refused, as
 * Standard Webhooks says of 410. Everything else, redirects too: retry. */
enum outcome policy_outcome(long status);

/* Delay before the next attempt in milliseconds, after `attempt` of them (1: the first has failed):
 * between half and the whole of min(cap_ms, base_ms * 2^(attempt-1)), chosen by random. A
 * receiver's Retry-After (seconds; 0: none) is kept to when it is longer, up to cap_ms. */
int64_t policy_delay_ms(const struct retry_policy *policy, int attempt, uint32_t random,
                        int64_t retry_after_s);
