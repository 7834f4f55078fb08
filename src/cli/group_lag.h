/*
 * group_lag.h - how many events a consumer group has still to take.
 *
 * The difference of offsets counts the markers of transactions too, and never
 * reaches zero; so a short tail is read and counted, and only a long one taken
 * from the offsets.
 */
#pragma once

#include "err.h"
#include "opt.h"

#include <stdbool.h>
#include <stdint.h>

struct group_lag {
    int64_t events;
    bool exact;     /* false: from the offsets, markers included */
    bool committed; /* false: the group has never committed an offset */
};

/* Topics are NULL-terminated full names. */
int group_lag(const struct conf_common *common, const char *group, const char *const *topics,
              struct group_lag *ret, struct err *reterr);

/* The groups of the programs: PREFIX.assigner takes tickets and experts, PREFIX.notifier notices.
 */
int group_lag_assigner(const struct conf_common *common, struct group_lag *ret, struct err *reterr);
int group_lag_notifier(const struct conf_common *common, struct group_lag *ret, struct err *reterr);
