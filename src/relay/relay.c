#include "relay.h"

#include "crash.h"
#include "kafka.h"
#include "leader.h"
#include "log.h"
#include "progress.h"
#include "publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_PAUSE_MIN_MS = 20,
    RETRY_PAUSE_MAX_MS = 1000,
    COPY_INTERVAL_MS = 200,
    COPY_AGAIN_MS = 5000,     /* after a failure: it may have waited for a lock, and rows with it */
    CHECK_INTERVAL_MS = 1000, /* is the leader's lock still ours? */
    EXTEND_INTERVAL_MS = 60000, /* partitions of the outbox */
    WARM_MS = 1000,             /* after the last row the relay polls fast for this long, */
    TEPID_MS = 5000,            /* then at a middle pace until this */
    FENCED_MAX = 5,             /* times before it gives up, */
    FENCED_CALM_MS = 30000,     /* none of them longer than this after the last */
    FENCED_PAUSE_MS = 1000,     /* meanwhile the other one takes over */
};

struct relay {
    const struct relay_conf *conf;
    struct loop *loop;
    struct leader leader;
    struct publisher publisher;
    bool recovered;
    bool copy_due;
    bool resumed; /* in a window that began before this start: one more is needed to drain */
    uint64_t copy_at_ms, checked_at_ms, extended_at_ms, row_at_ms, fenced_at_ms;
    int troubles; /* in a row */
    int fenced;   /* without a calm in between: publishing meanwhile does not count */
    char trouble[sizeof((struct err *)0)->text];
};

static void close_pair(struct relay *r)
{
    publisher_close(&r->publisher);
    r->recovered = false;
}

/* A new position is right only for a database that has never been published. */
static int first_position(struct relay *r, const struct identity *id, int64_t rows,
                          struct err *reterr)
{
    if (rows > 0) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position is missing in %s, though %" PRId64 " rows were published",
                  r->publisher.topics.name[TOPIC_PROGRESS], rows);
        return err_hint(reterr, "Another Kafka, or an emptied topic? See docs/operating.md.");
    }
    position_first(&r->publisher.at, id);
    LOG(INFO, "no position yet: publishing from the first row");
    return 0;
}

/* Before anybody is fenced: may it be that this relay is to lead? The lock may have been lost
 * meanwhile, and a copy of the database has the same lock and the same transactional ids. */
static int look(struct relay *r, struct recovery *readers, struct err *reterr)
{
    struct position at = {0};
    struct identity id;
    bool found;
    if (leader_check(&r->leader, reterr) || progress_peek(readers, &at, &found, reterr))
        return -1;
    int failed = leader_identity(&r->leader, &at, &id, reterr) ||
                 (found && position_check(&at, &id, reterr));
    position_free(&at);
    return failed ? -1 : 0;
}

/* Fence, settle, read the position, compare. Memory is never trusted. */
static int recover(struct relay *r, struct err *reterr)
{
    struct publisher *p = &r->publisher;
    uint64_t start = now_ms();
    bool found;
    int64_t rows;
    uint64_t txn;
    struct identity id;
    close_pair(r);
    position_free(&p->at);
    __attribute__((cleanup(progress_closep))) struct recovery *readers = NULL;
    if (publisher_topics(p, reterr) ||
        progress_open(&readers, &r->conf->common, &p->topics, &p->pulse, reterr) ||
        look(r, readers, reterr) || publisher_open(p, reterr) ||
        leader_copied(&r->leader, r->conf->common.topic_prefix, &rows, &txn, reterr))
        return -1;
    CRASH_POINT("relay.position.before");
    if (progress_recover(readers, p->pair, txn, &p->at, &found, reterr))
        return -1;
    CRASH_POINT("relay.position.after");
    if (leader_identity(&r->leader, &p->at, &id, reterr))
        return -1;
    if (found ? position_check(&p->at, &id, reterr) : first_position(r, &id, rows, reterr))
        return -1;
    if (p->at.timeline < id.timeline)
        LOG(WARN, "the database is on a new timeline", F_INT("timeline", id.timeline));
    p->at.timeline = id.timeline;
    if (poison_load(&p->poison, r->leader.pg, reterr))
        return -1;
    r->recovered = true;
    r->resumed = p->at.snapshot_cur;
    r->copy_due = true;
    LOG(INFO, "relay leads", F_INT("txn", p->at.txn), F_INT("rows", p->at.rows),
        F_STR("snapshot", p->at.snapshot_prev), F_INT("took_ms", now_ms() - start));
    return 0;
}

static void keep_session(void *ctx)
{
    struct relay *r = ctx;
    leader_keep(&r->leader);
}

static int publish(struct relay *r, const struct outbox_batch *batch, struct err *reterr)
{
    if (publisher_send(&r->publisher, r->leader.pg, batch, reterr))
        return -1;
    r->copy_due = true;
    return 0;
}

/* Reads once and publishes what is there; *ret_rows says how many rows there were. */
static int step(struct relay *r, int *ret_rows, struct err *reterr)
{
    struct outbox_batch batch = {0};
    CRASH_POINT("relay.read.before");
    if (outbox_read(r->leader.pg, &r->publisher.at, r->publisher.batch_max, &batch, reterr))
        return -1;
    *ret_rows = batch.n;
    if (batch.n)
        CRASH_POINT("relay.read.after");
    int failed = 0;
    bool visible;
    if (batch.n) {
        failed = publish(r, &batch, reterr);
    } else {
        outbox_advance(&batch, &r->publisher.at); /* an empty window needs no transaction */
        failed = publisher_look(&r->publisher, &visible, reterr);
    }
    outbox_batch_free(&batch);
    return failed;
}

/* Partitions made ahead and the copy for people can wait; the rows can not wait for them, whatever
 * is wrong with them. */
static int can_wait(struct relay *r, int failed, const struct err *err, struct err *reterr)
{
    if (failed && pg_alive(r->leader.pg) && err->kind != ERR_FATAL) {
        log_err(LOG_WARN, "a chore must wait", err);
        return 0;
    }
    if (failed && reterr)
        *reterr = *err;
    return failed;
}

static int chores(struct relay *r, struct err *reterr)
{
    struct err err = {0};
    uint64_t now = now_ms();
    if (now - r->checked_at_ms >= CHECK_INTERVAL_MS) {
        r->checked_at_ms = now;
        if (leader_check(&r->leader, reterr))
            return -1;
    }
    if (now - r->extended_at_ms >= EXTEND_INTERVAL_MS) {
        r->extended_at_ms = now;
        if (can_wait(r, pg_run(r->leader.pg, "extend", NULL, NULL, &err), &err, reterr))
            return -1;
    }
    if (r->copy_due && now >= r->copy_at_ms) {
        int failed = leader_copy(&r->leader, r->conf->common.topic_prefix, &r->publisher.at, &err);
        r->copy_due = failed;
        r->copy_at_ms = failed ? now_ms() + COPY_AGAIN_MS : now + COPY_INTERVAL_MS;
        if (can_wait(r, failed, &err, reterr))
            return -1;
    }
    return 0;
}

static int pause_ms(const struct relay *r)
{
    uint64_t quiet = now_ms() - r->row_at_ms;
    if (quiet < WARM_MS)
        return (int)r->conf->tick_busy_ms;
    if (quiet < TEPID_MS)
        return (int)(r->conf->tick_busy_ms + r->conf->tick_idle_ms) / 4;
    return (int)r->conf->tick_idle_ms;
}

/* Leads until stopped, drained or in trouble. *ret_drained: all that was visible when it began to
 * lead is visible, because a window that began after that is. */
static int stream(struct relay *r, bool *ret_drained, struct err *reterr)
{
    while (!loop_stopping(r->loop)) {
        int rows;
        if (publisher_disturbed(&r->publisher))
            return err_set(reterr, ERR_RETRY, "connection to Kafka lost");
        if (chores(r, reterr) || step(r, &rows, reterr))
            return -1;
        r->troubles = 0;
        if (rows)
            r->row_at_ms = now_ms();
        bool in_pieces = r->publisher.at.snapshot_cur;
        *ret_drained = !in_pieces && !r->resumed;
        if (*ret_drained && r->conf->common.drain) {
            *ret_drained = publisher_wait_visible(&r->publisher, reterr) == 0;
            if (*ret_drained && publisher_disturbed(&r->publisher)) {
                *ret_drained = false;
                continue; /* it is not known where all records stand */
            }
            return *ret_drained ? 0 : -1;
        }
        if (!in_pieces)
            r->resumed = false;
        loop_once(r->loop,
                  rows || in_pieces ? publisher_gather_ms(&r->publisher, rows) : pause_ms(r));
    }
    return 0;
}

/* Not at once again, or two relays would fence each other for ever. */
static int when_fenced(struct relay *r, struct err *err)
{
    const char *prefix = r->conf->common.topic_prefix;
    uint64_t now = now_ms();
    if (now - r->fenced_at_ms > FENCED_CALM_MS)
        r->fenced = 0;
    r->fenced_at_ms = now;
    r->fenced++;
    leader_resign(&r->leader);
    LOG(WARN, "fenced by another relay; standing by", F_INT("times", r->fenced));
    if (r->fenced > FENCED_MAX) {
        err_fatal(err, EXIT_FENCED,
                  "fenced %d times by another user of the transactional ids %s-relay-a and -b",
                  r->fenced, prefix);
        return err_hint(err, "Does another program use them?");
    }
    loop_once(r->loop, FENCED_PAUSE_MS);
    return 0;
}

/* Kafka ends a transaction that outlasts its time-out, and fences who began it: Kafka was away for
 * long, or this program. Recovering tells whether another leads meanwhile. */
static bool outlasted(const struct relay *r, const struct err *err)
{
    uint64_t took_ms = now_ms() - r->publisher.began_at_ms;
    if (!r->recovered || !kafka_is_fenced(err->code) || took_ms < (uint64_t)r->conf->transaction_ms)
        return false;
    LOG(WARN, "a transaction was not ended in time", F_INT("took_ms", took_ms),
        F_INT("timeout_ms", r->conf->transaction_ms));
    return true;
}

/* After an error: what is to be given up, and how long to wait. Returns -1 when it is fatal. */
static int in_trouble(struct relay *r, struct err *err)
{
    bool from_kafka = err->code != 0, late = outlasted(r, err);
    close_pair(r);
    if (kafka_is_fenced(err->code) && !late)
        return when_fenced(r, err);
    if (kafka_is_denied(err->code))
        return err_hint(err, "The rights that it needs in Kafka: docs/operating.md.");
    /* A fatal error of a Kafka handle ends the handle, not the relay. */
    if (err->kind == ERR_FATAL && !from_kafka)
        return -1;
    if (!from_kafka)
        leader_resign_if_lost(&r->leader);
    if (strcmp(r->trouble, err->text) != 0 || r->troubles == 0)
        log_err(LOG_WARN, "relay recovers", err);
    snprintf(r->trouble, sizeof r->trouble, "%s", err->text);
    int wait = RETRY_PAUSE_MIN_MS << (r->troubles < 6 ? r->troubles : 6);
    r->troubles++;
    loop_once(r->loop, wait < RETRY_PAUSE_MAX_MS ? wait : RETRY_PAUSE_MAX_MS);
    return 0;
}

/* Stopping, in an error: was a transaction left undecided? */
static int cut_off(const struct relay *r, struct err *err)
{
    if (!err->unknown || !err->code)
        return 0;
    err_fatal(err, EXIT_DEADLINE, "could not end a Kafka transaction within %ld ms",
              r->conf->common.shutdown_ms);
    return err_hint(err, "Nothing is lost: the next relay settles it.");
}

int relay_run(const struct relay_conf *conf, struct loop *loop, struct err *reterr)
{
    struct relay r = {
        .conf = conf,
        .loop = loop,
        .leader = {.conf = &conf->common, .loop = loop, .timeout_ms = conf->leader_ms},
        .publisher = {.conf = conf,
                      .batch_max = (int)conf->batch_max,
                      .poison.policy = (enum poison_policy)conf->poison}};
    struct err err = {0};
    if (conf->tick_idle_ms >
        conf->leader_ms / 2) /* it would lose the lead whenever nothing comes */
        return err_fatal(reterr, EXIT_CONFIG,
                         "--tick-idle is %ld: it must be at most half of --leader-timeout, %ld",
                         conf->tick_idle_ms, conf->leader_ms);
    bool drained = false;
    int failed = 0;
    r.publisher.pulse = (struct pulse){
        .loop = loop, .shutdown_ms = conf->common.shutdown_ms, .keep = keep_session, .ctx = &r};
    while (!loop_stopping(loop) && !(conf->common.drain && drained)) {
        err = (struct err){0};
        if (leader_stand_by(&r.leader, &err) == 0 && (r.recovered || recover(&r, &err) == 0) &&
            stream(&r, &drained, &err) == 0)
            continue;
        if (loop_stopping(loop)) {
            failed = cut_off(&r, &err);
            break;
        }
        failed = in_trouble(&r, &err);
        if (failed)
            break;
    }
    if (r.recovered && r.copy_due && pg_alive(r.leader.pg)) {
        struct err ignored;
        leader_copy(&r.leader, conf->common.topic_prefix, &r.publisher.at, &ignored);
    }
    close_pair(&r);
    leader_resign(&r.leader);
    position_free(&r.publisher.at);
    poison_free(&r.publisher.poison);
    if (failed && reterr)
        *reterr = err;
    return failed;
}
