#include "settle.h"

void settle_hanging(struct settle *s, uint64_t txn)
{
    if (!s->lowest_hanging || txn < s->lowest_hanging)
        s->lowest_hanging = txn;
}

void settle_begun(struct settle *s, uint64_t txn)
{
    if (txn > s->highest_begun)
        s->highest_begun = txn;
}

void settle_visible(struct settle *s, uint64_t txn)
{
    if (txn > s->highest_visible)
        s->highest_visible = txn;
}

enum settle_verdict settle_decide(const struct settle *s)
{
    if (!s->lowest_hanging)
        return SETTLE_NOTHING;
    /* A later transaction began, so this one's commit had returned; or part of it is visible. */
    if (s->highest_begun > s->lowest_hanging || s->highest_visible >= s->lowest_hanging)
        return SETTLE_COMMIT;
    return SETTLE_ABORT;
}
