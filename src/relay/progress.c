#include "progress.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "recovery.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_ROUNDS_MAX = 6 };

static bool on_hanging(struct recovery *r, struct part *p, rd_kafka_message_t *msg)
{
    uint64_t txn = recovery_txn_of(msg);
    if (msg->offset == p->lso) {
        p->hangs = txn;
        if (txn)
            settle_hanging(&r->settle, txn);
    }
    settle_begun(&r->settle, txn);
    return false;
}

static int scan_hanging(struct recovery *r, struct err *reterr)
{
    for (int i = 0; i < r->n; i++) {
        r->part[i].from = r->part[i].lso;
        r->part[i].until = r->part[i].hw;
        r->part[i].hangs = 0;
    }
    return recovery_scan(r, r->uncommitted, on_hanging, reterr);
}

/* Ends the lowest hanging transaction by a marker of its producer on every partition it hangs in.
 * Its position is not written again: behind it may stand that of a later transaction. */
static int send_barrier(struct recovery *r, enum settle_verdict verdict, struct err *reterr)
{
    uint64_t txn = r->settle.lowest_hanging;
    struct recovery_wait wait = {.r = r, .until_ms = now_ms() + RECOVERY_SCAN_MS};
    struct producer *p = r->pair[txn % 2];
    LOG(WARN, "a transaction hangs after a restart of Kafka; settling it", F_INT("txn", txn),
        F_STR("verdict", verdict == SETTLE_COMMIT ? "commit" : "abort"));
    CRASH_POINT("relay.settle.before");
    if (producer_begin(p, txn, reterr))
        return -1;
    for (int i = 0; i < r->n; i++) {
        const struct part *part = &r->part[i];
        if (part->hangs == txn &&
            producer_barrier(p, part->topic, part->number,
                             verdict == SETTLE_COMMIT ? part->lso : -1, reterr))
            return -1;
    }
    /* An abort would throw away what was not sent, and then mark nothing. */
    producer_flush(p, RECOVERY_QUERY_MS);
    CRASH_POINT("relay.barrier.after");
    int failed = verdict == SETTLE_COMMIT ? producer_commit(p, recovery_keep_waiting, &wait, reterr)
                                          : producer_abort(p, RECOVERY_SCAN_MS, reterr);
    CRASH_POINT("relay.settle.after");
    return failed;
}

static int settle_all(struct recovery *r, struct err *reterr)
{
    bool stable;
    if (recovery_wait_stable(r, &stable, reterr))
        return -1;
    for (int round = 0; !stable; round++) {
        r->settle = (struct settle){0};
        settle_visible(&r->settle, r->known_txn);
        if (recovery_scan_tails(r, reterr) || scan_hanging(r, reterr))
            return -1;
        enum settle_verdict verdict = settle_decide(&r->settle);
        if (verdict == SETTLE_NOTHING || round == SETTLE_ROUNDS_MAX)
            return err_set(reterr, ERR_RETRY,
                           "could not settle a transaction that hangs in the relay's topics");
        if (send_barrier(r, verdict, reterr) || recovery_wait_stable(r, &stable, reterr))
            return -1;
    }
    return 0;
}

static int read_position(struct recovery *r, struct position *ret, bool *ret_found,
                         struct err *reterr)
{
    r->settle = (struct settle){0};
    free(r->position);
    r->position = NULL;
    if (recovery_scan_tails(r, reterr))
        return -1;
    *ret_found = r->position != NULL;
    if (!r->position && r->settle.highest_visible) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position is missing, though transaction %" PRIu64 " of a relay is visible",
                  r->settle.highest_visible);
        return err_hint(reterr, "Was the topic %s emptied? See docs/operating.md.",
                        r->topics->name[TOPIC_PROGRESS]);
    }
    if (!r->position)
        return 0;
    if (position_decode(r->position, strlen(r->position), ret, reterr))
        return -1;
    if (ret->txn < r->settle.highest_visible) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position is of transaction %" PRIu64 ", but %" PRIu64 " is visible",
                  ret->txn, r->settle.highest_visible);
        position_free(ret);
        return err_hint(reterr, "Was the topic %s restored? See docs/operating.md.",
                        r->topics->name[TOPIC_PROGRESS]);
    }
    return 0;
}

int progress_open(struct recovery **ret, const struct conf_common *common,
                  const struct topics *topics, struct pulse *pulse, struct err *reterr)
{
    struct recovery *r = mem_new(1, sizeof *r);
    r->common = common;
    r->topics = topics;
    r->pulse = pulse;
    if (recovery_open(r, reterr)) {
        progress_close(r);
        return -1;
    }
    *ret = r;
    return 0;
}

void progress_close(struct recovery *r)
{
    if (!r)
        return;
    recovery_close(r);
    free(r);
}

int progress_peek(struct recovery *r, struct position *ret, bool *ret_found, struct err *reterr)
{
    bool stable;
    int n = r->n;
    struct err ignored;
    r->n = 1; /* the first is that of the position */
    int failed = recovery_offsets(r, &stable, reterr) || recovery_scan_tails(r, reterr);
    r->n = n;
    if (failed)
        return -1;
    *ret_found =
        r->position && position_decode(r->position, strlen(r->position), ret, &ignored) == 0;
    return 0;
}

int progress_recover(struct recovery *r, struct producer *const pair[2], uint64_t known_txn,
                     struct position *ret, bool *ret_found, struct err *reterr)
{
    r->pair = pair;
    r->known_txn = known_txn;
    return settle_all(r, reterr) || recovery_resend(r, reterr) ||
                   read_position(r, ret, ret_found, reterr)
               ? -1
               : 0;
}
