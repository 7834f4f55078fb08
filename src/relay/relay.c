#include "relay.h"

#include "crash.h"
#include "kafka.h"
#include "leader.h"
#include "log.h"
#include "outbox.h"
#include "producer.h"
#include "progress.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPEN_TIMEOUT_MS = 10000,
    RETRY_PAUSE_MIN_MS = 20,
    RETRY_PAUSE_MAX_MS = 1000,
    COPY_INTERVAL_MS = 200,
    COPY_AGAIN_MS = 5000,     /* after a failure: it may have waited for a lock, and rows with it */
    CHECK_INTERVAL_MS = 1000, /* is the leader's lock still ours? */
    EXTEND_INTERVAL_MS = 60000, /* partitions of the outbox */
    WARM_MS = 1000,             /* after the last row the relay polls fast for this long, */
    TEPID_MS = 5000,            /* then at a middle pace until this */
    SLOW_MS = 2000,             /* a transaction; a broker that is silent for 3 s may be given up */
    LOOK_AGAIN_MS = 30000,      /* not sooner after the last look because of that */
    RATE_MS = 500,              /* the average of rows a second forgets in this time */
    GATHER_ROWS_A_S = 200,      /* so many rows a second more are worth a millisecond of waiting */
    FENCED_MAX = 5,             /* times before it gives up, */
    FENCED_CALM_MS = 30000,     /* none of them longer than this after the last */
    FENCED_PAUSE_MS = 1000,     /* meanwhile the other one takes over */
};

struct relay {
    const struct relay_conf *conf;
    struct loop *loop;
    struct leader leader;
    struct pulse pulse;
    struct topics topics;
    struct producer *pair[2];
    struct position at; /* as in Kafka, or ahead of it by windows that held no row */
    struct poison poison;
    int batch_max; /* rows of the next transaction: less than the option's after a refusal */
    bool recovered;
    bool copy_due;
    bool resumed; /* in a window that began before this start: one more is needed to drain */
    uint64_t copy_at_ms, checked_at_ms, extended_at_ms, began_at_ms, row_at_ms, fenced_at_ms;
    uint64_t looked_at_ms, look_at_ms; /* whether what is committed is visible; 0: no need to */
    double rows_a_s;                   /* average */
    int troubles;                      /* in a row */
    int fenced; /* without a calm in between: publishing meanwhile does not count */
    char trouble[sizeof((struct err *)0)->text];
};

static void close_pair(struct relay *r)
{
    for (int i = 0; i < 2; i++) {
        producer_close(r->pair[i]);
        r->pair[i] = NULL;
    }
    r->recovered = false;
}

static int open_pair(struct relay *r, struct err *reterr)
{
    for (int i = 0; i < 2; i++) {
        struct producer_options o = {.common = &r->conf->common,
                                     .topics = &r->topics,
                                     .index = i,
                                     .transaction_ms = (int)r->conf->transaction_ms,
                                     .pulse = &r->pulse};
        if (producer_open(&r->pair[i], &o, OPEN_TIMEOUT_MS, reterr))
            return -1;
    }
    return 0;
}

/* Names, partitions and limits may have changed while the broker was away. */
static int load_topics(struct relay *r, struct err *reterr)
{
    rd_kafka_t *rk;
    rd_kafka_conf_t *conf = kafka_conf(&r->conf->common, "relay", NULL, reterr);
    topics_name(&r->topics, r->conf->common.topic_prefix);
    if (!conf || kafka_open(&rk, RD_KAFKA_PRODUCER, conf, NULL, OPEN_TIMEOUT_MS, reterr))
        return -1;
    int failed = topics_load(&r->topics, rk, &r->pulse, OPEN_TIMEOUT_MS, reterr);
    kafka_close(rk, OPEN_TIMEOUT_MS);
    return failed;
}

/* A new position is right only for a database that has never been published. */
static int first_position(struct relay *r, const struct identity *id, int64_t rows,
                          struct err *reterr)
{
    if (rows > 0) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position is missing in %s, though %" PRId64 " rows were published",
                  r->topics.name[TOPIC_PROGRESS], rows);
        return err_hint(reterr, "Another Kafka, or an emptied topic? See docs/operating.md.");
    }
    position_first(&r->at, id);
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
    uint64_t start = now_ms();
    bool found;
    int64_t rows;
    uint64_t txn;
    struct identity id;
    close_pair(r);
    position_free(&r->at);
    __attribute__((cleanup(progress_closep))) struct recovery *readers = NULL;
    if (load_topics(r, reterr) ||
        progress_open(&readers, &r->conf->common, &r->topics, &r->pulse, reterr) ||
        look(r, readers, reterr) || open_pair(r, reterr) ||
        leader_copied(&r->leader, r->conf->common.topic_prefix, &rows, &txn, reterr))
        return -1;
    CRASH_POINT("relay.position.before");
    if (progress_recover(readers, r->pair, txn, &r->at, &found, reterr))
        return -1;
    CRASH_POINT("relay.position.after");
    if (leader_identity(&r->leader, &r->at, &id, reterr))
        return -1;
    if (found ? position_check(&r->at, &id, reterr) : first_position(r, &id, rows, reterr))
        return -1;
    if (r->at.timeline < id.timeline)
        LOG(WARN, "the database is on a new timeline", F_INT("timeline", id.timeline));
    r->at.timeline = id.timeline;
    if (poison_load(&r->poison, r->leader.pg, reterr))
        return -1;
    r->recovered = true;
    if (r->look_at_ms)
        r->looked_at_ms = now_ms();
    r->look_at_ms = 0;
    r->resumed = r->at.snapshot_cur;
    r->copy_due = true;
    LOG(INFO, "relay leads", F_INT("txn", r->at.txn), F_INT("rows", r->at.rows),
        F_STR("snapshot", r->at.snapshot_prev), F_INT("took_ms", now_ms() - start));
    return 0;
}

static void keep_session(void *ctx)
{
    struct relay *r = ctx;
    leader_keep(&r->leader);
}

static bool keep_waiting(void *ctx)
{
    struct relay *r = ctx;
    return pulse_go_on(&r->pulse);
}

static int send_row(struct relay *r, struct producer *p, const struct outbox_row *row,
                    struct position *next, struct err *reterr)
{
    int topic = topics_route(row->aggregatetype);
    char type[61], meant_for[TOPIC_NAME_MAX + 80];
    const char *reason = poison_reason(&r->poison, row);
    struct err err = {0};
    snprintf(meant_for, sizeof meant_for, "%s.%ss", r->conf->common.topic_prefix,
             text_cut(type, sizeof type, row->aggregatetype));
    if (!reason && topic < 0)
        reason = "there is no topic for its aggregatetype";
    if (!reason) {
        if (producer_row(p, topic, row, &err) == 0)
            return 0;
        if (err.kind != ERR_REJECT) {
            if (reterr)
                *reterr = err;
            return -1;
        }
        reason = err.text;
    }
    next->dead++;
    CRASH_POINT("relay.dead.before");
    if (poison_record(r->leader.pg, row, meant_for, reason, reterr))
        return -1;
    CRASH_POINT("relay.dead.after");
    poison_block(&r->poison, row);
    return producer_dead(p, row, meant_for, reason, reterr);
}

/* Kafka refuses batches, not rows: a refused one is tried again in halves, until it is one row. */
static void narrow(struct relay *r, const struct producer *p, int n)
{
    int64_t seq = producer_refused(p);
    if (seq >= 0 && n == 1)
        poison_refuse(&r->poison, seq);
    else if (seq >= 0)
        r->batch_max = n / 2;
}

static void widen(struct relay *r)
{
    int max = (int)r->conf->batch_max;
    r->batch_max = r->batch_max < max / 2 ? r->batch_max * 2 : max;
}

static void begins(struct relay *r, int rows)
{
    uint64_t now = now_ms();
    double took_ms = now > r->began_at_ms ? (double)(now - r->began_at_ms) : 1;
    r->began_at_ms = now;
    r->rows_a_s += (rows * 1000 / took_ms - r->rows_a_s) * took_ms / (took_ms + RATE_MS);
}

/* A broker that was frozen may have been taken for dead, and Kafka then leaves out the markers of
 * what is committed: no reader sees it until the next marker of the same producer, and if that is
 * an abort's, never. Recovering looks for it; where Kafka is always slow, not each time. */
static void note_slow(struct relay *r, uint64_t took_ms)
{
    uint64_t again_ms = r->looked_at_ms + LOOK_AGAIN_MS;
    if (took_ms >= SLOW_MS && !r->look_at_ms)
        r->look_at_ms = now_ms() > again_ms ? now_ms() : again_ms;
}

/* The copy says that the last commit returned, so that nobody takes it for undecided. */
static int look_at_slow(struct relay *r, struct err *reterr)
{
    struct err ignored;
    if (!r->look_at_ms || now_ms() < r->look_at_ms)
        return 0;
    leader_copy(&r->leader, r->conf->common.topic_prefix, &r->at, &ignored);
    return err_set(reterr, ERR_RETRY, "a transaction took Kafka long: is it visible?");
}

/* One Kafka transaction: the rows of the batch and the position behind them. */
static int publish(struct relay *r, const struct outbox_batch *batch, struct err *reterr)
{
    struct position next = {0};
    position_copy(&next, &r->at);
    outbox_advance(batch, &next);
    next.txn++;
    struct producer *p = r->pair[next.txn % 2];
    begins(r, batch->n);
    CRASH_POINT("relay.begin.before");
    int failed = producer_begin(p, next.txn, reterr);
    CRASH_POINT("relay.begin.after");
    for (int i = 0; i < batch->n && !failed; i++) {
        struct outbox_row row;
        outbox_row(batch, i, &row);
        failed = send_row(r, p, &row, &next, reterr);
    }
    char *json = position_encode(&next);
    uint64_t commit_ms = now_ms();
    if (!failed)
        failed = producer_position(p, json, reterr) || producer_commit(p, keep_waiting, r, reterr);
    free(json);
    if (failed) {
        position_free(&next);
        narrow(r, p, batch->n);
        return -1;
    }
    widen(r);
    position_free(&r->at);
    r->at = next;
    r->copy_due = true;
    note_slow(r, now_ms() - commit_ms);
    return 0;
}

/* Reads once and publishes what is there; *ret_rows says how many rows there were. */
static int step(struct relay *r, int *ret_rows, struct err *reterr)
{
    struct outbox_batch batch = {0};
    CRASH_POINT("relay.read.before");
    if (outbox_read(r->leader.pg, &r->at, r->batch_max, &batch, reterr))
        return -1;
    *ret_rows = batch.n;
    if (batch.n)
        CRASH_POINT("relay.read.after");
    int failed = 0;
    if (batch.n)
        failed = publish(r, &batch, reterr);
    else
        outbox_advance(&batch, &r->at); /* an empty window needs no transaction */
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
        int failed = leader_copy(&r->leader, r->conf->common.topic_prefix, &r->at, &err);
        r->copy_due = failed;
        r->copy_at_ms = failed ? now_ms() + COPY_AGAIN_MS : now + COPY_INTERVAL_MS;
        if (can_wait(r, failed, &err, reterr))
            return -1;
    }
    return 0;
}

/* A transaction costs broker and relay about the same whether it holds one row or a hundred: the
 * more rows come, the longer they gather. A row after a calm does not wait. */
static int gather_ms(const struct relay *r, int rows)
{
    if (r->at.snapshot_cur || rows >= r->batch_max || r->conf->common.drain)
        return 0;
    long wanted = (long)(r->rows_a_s / GATHER_ROWS_A_S), since = (long)(now_ms() - r->began_at_ms);
    if (wanted > r->conf->gather_ms)
        wanted = r->conf->gather_ms;
    return since < wanted ? (int)(wanted - since) : 0;
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
 * lead is published, because a window that began after that is. */
static int stream(struct relay *r, bool *ret_drained, struct err *reterr)
{
    while (!loop_stopping(r->loop)) {
        int rows;
        if (producer_disturbed(r->pair[0]) || producer_disturbed(r->pair[1]))
            return err_set(reterr, ERR_RETRY, "connection to Kafka lost");
        if (look_at_slow(r, reterr) || chores(r, reterr) || step(r, &rows, reterr))
            return -1;
        r->troubles = 0;
        if (rows)
            r->row_at_ms = now_ms();
        bool in_pieces = r->at.snapshot_cur;
        *ret_drained = !in_pieces && !r->resumed;
        if (*ret_drained && r->conf->common.drain)
            return 0;
        if (!in_pieces)
            r->resumed = false;
        loop_once(r->loop, rows || in_pieces ? gather_ms(r, rows) : pause_ms(r));
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
    uint64_t took_ms = now_ms() - r->began_at_ms;
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
    struct relay r = {.conf = conf,
                      .loop = loop,
                      .batch_max = (int)conf->batch_max,
                      .poison.policy = (enum poison_policy)conf->poison};
    struct err err = {0};
    if (conf->tick_idle_ms >
        conf->leader_ms / 2) /* it would lose the lead whenever nothing comes */
        return err_fatal(reterr, EXIT_CONFIG,
                         "--tick-idle is %ld: it must be at most half of --leader-timeout, %ld",
                         conf->tick_idle_ms, conf->leader_ms);
    bool drained = false;
    int failed = 0;
    r.pulse = (struct pulse){
        .loop = loop, .shutdown_ms = conf->common.shutdown_ms, .keep = keep_session, .ctx = &r};
    r.leader.conf = &conf->common;
    r.leader.timeout_ms = conf->leader_ms;
    while (!loop_stopping(loop) && !(conf->common.drain && drained)) {
        err = (struct err){0};
        if (leader_stand_by(&r.leader, loop, &err) == 0 &&
            (r.recovered || recover(&r, &err) == 0) && stream(&r, &drained, &err) == 0)
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
        leader_copy(&r.leader, conf->common.topic_prefix, &r.at, &ignored);
    }
    close_pair(&r);
    leader_resign(&r.leader);
    position_free(&r.at);
    poison_free(&r.poison);
    if (failed && reterr)
        *reterr = err;
    return failed;
}
