#include "policy.h"

enum outcome policy_outcome(long status)
{
    if (status >= 200 && status < 300)
        return OUTCOME_DELIVERED;
    if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429)
        return OUTCOME_REFUSED;
    return OUTCOME_RETRY;
}

int64_t policy_delay_ms(const struct retry_policy *policy, int attempt, uint32_t random,
                        int64_t retry_after_s)
{
    int64_t whole = policy->base_ms;
    for (int i = 1; i < attempt && whole < policy->cap_ms; i++)
        whole *= 2;
    if (whole > policy->cap_ms)
        whole = policy->cap_ms;
    int64_t delay = whole / 2 + (int64_t)((uint64_t)(whole - whole / 2) * random / UINT32_MAX);
    int64_t asked = 0;
    if (retry_after_s > 0)
        asked = retry_after_s > policy->cap_ms / 1000 ? policy->cap_ms : retry_after_s * 1000;
    return asked > delay ? asked : delay;
}
